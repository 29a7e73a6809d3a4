import pytest

from zoo.utils.protobuf import Cut, field, fields


def listed(message):
    return [(n, v if isinstance(v, int) else bytes(v)) for n, v in fields(memoryview(message))]


def test_fields_are_read_as_they_were_written():
    message = field(1, 300) + field(14, "text") + field(7, b"x" * 200) + field(2, 0)
    assert listed(message) == [(1, 300), (14, b"text"), (7, b"x" * 200), (2, 0)]


def test_numbers_of_fixed_length_are_skipped_as_bytes():
    assert listed(b"\x0d\x00\x00\x80\x3f" + b"\x11" + bytes(8)) == [
        (1, b"\x00\x00\x80\x3f"),
        (2, bytes(8)),
    ]


@pytest.mark.parametrize(
    "message", [field(1, b"abc")[:-1], b"\x80", b"\x0a", b"\x0b", b"\x08" + b"\xff" * 12]
)
def test_a_message_that_is_cut_off_or_none_is_refused(message):
    with pytest.raises(Cut):
        listed(message)


def test_onnx_reads_what_is_written():
    onnx = pytest.importorskip("onnx")
    tensor = field(1, 2) + field(2, 1) + field(8, "a") + field(9, bytes(8))
    graph = field(2, "name") + field(5, tensor)
    model = onnx.ModelProto.FromString(field(1, 8) + field(7, graph))
    assert (model.ir_version, model.graph.name) == (8, "name")
    assert onnx.numpy_helper.to_array(model.graph.initializer[0]).tolist() == [0.0, 0.0]
