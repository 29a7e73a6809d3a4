import ast
import json

import msgspec
import numpy as np
import pytest

from zoo import ConfigError, UnknownName
from zoo.registry import manifest
from zoo.weights import sources

WHEEL = {
    "kind": "pypi",
    "project": "fakenet",
    "version": "1.0",
    "file": "fakenet-1.0.tar.gz",
    "sha256": "a" * 64,
    "bytes": 10,
    "format": "tf1",
    "adopt": "from_fakenet",
}


@pytest.fixture
def entry() -> dict:
    """A sound checkpoint, for tests to spoil."""
    return {
        "architecture": "fake2020",
        "default": True,
        "labels": ["a", "b"],
        "sources": [dict(WHEEL)],
        "input": {"sample_rate": 16000, "segment": None, "description": "waveform"},
        "licence": {"weights": "MIT", "data": "none"},
        "authors": ["Nobody"],
        "citation": "none",
        "provenance": "Made up for a test.",
        "status": "not yet loaded",
        "metrics": [
            {
                "name": "ROC-AUC",
                "value": 0.5,
                "data": "noise",
                "split": "all",
                "kind": "measured",
                "source": "a coin",
            }
        ],
    }


def parse(labels=None, schema=1, **checkpoints) -> manifest.Manifest:
    named = {name.replace("__", "."): entry for name, entry in checkpoints.items()}
    content = {"schema": schema, "labels": labels or {}, "checkpoints": named}
    return manifest.parse(json.dumps(content).encode(), "test.json")


def complaint(**arguments) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(**arguments)
    message = str(caught.value)
    assert message.startswith("test.json is not a valid manifest")
    return message


# --- the project's own ---


def test_the_manifest_lists_the_promised_checkpoints():
    checkpoints = manifest.load().checkpoints
    assert checkpoints["pons2017.mtt"].default
    assert not checkpoints["pons2017.msd"].default
    assert [type(s).__name__ for s in checkpoints["pons2017.mtt"].sources] == ["Bundled", "PyPI"]


def test_every_bundled_file_exists_and_matches_its_checksum():
    found = [source for c in manifest.load().checkpoints.values() for source in c.bundled]
    assert found
    for source in found:
        sources.verify(manifest.bundled_folder() / source.file, source)


def test_every_source_has_a_reader_and_a_function_that_adopts_its_variables():
    folder = manifest.PACKAGE
    for checkpoint in manifest.load().checkpoints.values():
        model = folder / "models" / f"{checkpoint.architecture}.py"
        functions = {
            node.name
            for node in ast.parse(model.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        for source in checkpoint.remote:
            if source.adopt is not None:
                assert source.adopt in functions
                assert (folder / "weights" / "convert" / f"{source.format}.py").is_file()


def test_the_licence_of_the_bundled_weights_is_beside_them():
    licence = (manifest.bundled_folder() / "LICENSE-musicnn.txt").read_text(encoding="utf-8")
    assert "Universitat Pompeu Fabra 2019" in licence
    assert "Permission to use, copy, modify, and/or distribute" in licence


@pytest.mark.parametrize(("name", "model"), [("mtt", "MTT_musicnn"), ("msd", "MSD_musicnn")])
def test_the_labels_are_those_of_the_original_in_its_order(upstream, name, model):
    labels = manifest.load().checkpoint(f"pons2017.{name}").labels
    for file in sorted((upstream / "pons2017").glob("*.npz")):
        assert list(labels) == np.load(file)[f"{model}/tags"].tolist()


def test_every_published_metric_names_its_split_and_source():
    metrics = [m for c in manifest.load().checkpoints.values() for m in c.metrics]
    assert {"ROC-AUC", "PR-AUC"} <= {metric.name for metric in metrics}
    mtt = manifest.load().checkpoint("pons2017.mtt").metrics[0]
    assert (mtt.name, round(mtt.value, 5), mtt.clips) == ("ROC-AUC", 0.90668, 5329)


def test_the_error_for_an_unknown_checkpoint_lists_all_names():
    with pytest.raises(UnknownName, match=r"'nobody\.x'.*pons2017\.mtt"):
        manifest.load().checkpoint("nobody.x")


# --- what is admitted ---


def test_labels_may_refer_to_a_shared_list(entry):
    entry["labels"] = "ab"
    known = parse(fake2020__x=entry, labels={"ab": ["a", "b"]})
    assert known.checkpoint("fake2020.x").labels == ("a", "b")


def test_a_checkpoint_survives_conversion_to_plain_data_and_back(entry):
    checkpoint = parse(fake2020__x=entry).checkpoint("fake2020.x")
    again = msgspec.convert(msgspec.to_builtins(checkpoint), manifest.Checkpoint)
    assert again == checkpoint


def test_the_same_file_may_serve_several_checkpoints(entry):
    other = {**entry, "default": False, "sources": [{**WHEEL, "member": "other/"}]}
    assert len(parse(fake2020__x=entry, fake2020__y=other).checkpoints) == 2


def test_a_git_blob_is_enough_to_verify(entry):
    entry["sources"] = [
        {"kind": "url", "url": "https://example.org/a.h5", "file": "a.h5", "git_blob": "b" * 40}
    ]
    (source,) = parse(fake2020__x=entry).checkpoint("fake2020.x").remote
    assert source.format == "native"


# --- what is refused ---


def test_a_file_that_is_not_json_is_refused():
    with pytest.raises(ConfigError, match=r"test\.json is not a valid manifest: .*malformed"):
        manifest.parse(b"{labels: }", "test.json")


def test_a_manifest_of_another_schema_is_refused(entry):
    assert "`$.schema`" in complaint(schema=2, fake2020__x=entry)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("input", "sample_rate"), "16k", "Expected `int`, got `str` - at `$.input.sample_rate`"),
        (("input", "sample_rate"), 0, "`int` >= 1 - at `$.input.sample_rate`"),
        (("metrics", 0, "value"), 90.7, "`float` <= 1.0 - at `$.metrics[0].value`"),
        (
            ("metrics", 0, "kind"),
            "guessed",
            "Invalid enum value 'guessed' - at `$.metrics[0].kind`",
        ),
        (("colour",), "red", "unknown field `colour`"),
        (("sources", 0, "sha1"), "0", "unknown field `sha1` - at `$.sources[0]`"),
        (("sources", 0, "kind"), "ftp", "Invalid value 'ftp' - at `$.sources[0].kind`"),
        (("sources", 0, "sha256"), "A" * 64, "`$.sources[0].sha256`"),
        (("sources", 0, "sha256"), "a" * 63, "`$.sources[0].sha256`"),
        (("sources", 0, "sha256"), None, "neither sha256 nor git_blob: it could not be verified"),
        (("sources", 0, "file"), "../a.h5", "`$.sources[0].file`"),
        (("sources", 0, "adopt"), None, "a foreign format needs `adopt`"),
        (("sources",), [], "length >= 1 - at `$.sources`"),
        (("labels",), ["a", "b", "a"], "labels repeat 'a'"),
        (("labels",), "cd", "there is no label list 'cd'; the manifest has ab"),
        (("status",), "fine", "Invalid enum value 'fine' - at `$.status`"),
    ],
)
def test_an_invalid_field_is_refused_by_name(entry, place, value, message):
    spoilt = entry
    for key in place[:-1]:
        spoilt = spoilt[key]
    spoilt[place[-1]] = value
    complete = complaint(fake2020__x=entry, labels={"ab": ["a", "b"]})
    assert "(checkpoint fake2020.x)" in complete
    assert message in complete


def test_a_missing_field_is_refused_by_name(entry):
    del entry["licence"]
    assert "missing required field `licence`" in complaint(fake2020__x=entry)


def test_two_defaults_of_one_architecture_are_refused(entry):
    assert "more than one default checkpoint of fake2020" in complaint(
        fake2020__x=entry, fake2020__y=entry
    )


def test_a_name_of_another_architecture_is_refused(entry):
    assert "'other2020.x' has the architecture 'fake2020'" in complaint(other2020__x=entry)


def test_a_name_without_a_tag_is_refused(entry):
    assert "at `key` in `$.checkpoints`" in complaint(fake2020=entry)


def test_different_files_of_one_name_are_refused_since_a_mirror_cannot_hold_both(entry):
    other = {**entry, "default": False, "sources": [{**WHEEL, "sha256": "b" * 64}]}
    assert "share the file name fakenet-1.0.tar.gz" in complaint(
        fake2020__x=entry, fake2020__y=other
    )
