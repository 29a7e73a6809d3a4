import hashlib
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import hub_server
import msgspec
import numpy as np
import pytest
import safetensors.numpy
import yaml
from click.testing import CliRunner
from conftest import only_on
from hub_server import Repository
from huggingface_hub import constants

import zoo
from zoo import ConfigError, WeightsError, cli
from zoo.weights import fetch, hub, hub_client, hub_files, model_card, origin

# huggingface_hub 2.4 hands a file to httpx2 in a way that it no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO, URL = "alice/tags", "hf://alice/tags"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """No settings of this machine, an empty cache, nobody logged in."""
    for variable in list(os.environ):
        if variable.upper().startswith(("HF_", "HUGGING", "HTTP_", "HTTPS_", "ALL_", "ZOO_OFF")):
            monkeypatch.delenv(variable)
    settings = {
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_HUB_DISABLE_TELEMETRY": True,  # else it asks the hub for a list of programs
        "HF_HUB_DISABLE_XET": True,  # the hub's other way of storing large files
        "HF_HUB_OFFLINE": False,
    }
    for name, value in settings.items():  # huggingface_hub reads the environment when imported
        monkeypatch.setattr(constants, name, value)


@pytest.fixture
def server(monkeypatch):
    """A hub, with alice logged in."""
    with hub_server.running() as running:
        log_in(running, monkeypatch)
        yield running


def log_in(server, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")


@pytest.fixture(scope="module")
def model():
    return zoo.build("pons2016", ["drums", "voice"], variant="time")


@pytest.fixture(scope="module")
def other():
    """Another one of the same shape."""
    return zoo.build("pons2016", ["drums", "voice"], variant="time")


@pytest.fixture
def forget(monkeypatch, tmp_path):
    """Go on as on another machine: with an empty cache."""

    def empty():
        place = str(tmp_path / f"hub{len(list(tmp_path.iterdir()))}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", place)

    return empty


def sound(model) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(-1, 1, (2, model.segmentation.segment))
    return noise.astype("float32")


def predicted(model) -> np.ndarray:
    return model.predict_on_batch(sound(model))


def upload(server, files: dict[str, bytes], name: str = REPO) -> str:
    """Put files into a repository by another way than ours; returns the commit."""
    kept = server.repositories.setdefault(name, Repository(name.split("/")[0]))
    return kept.commit(files, "by hand")


def changed(model, **changes) -> bytes:
    """config.json of a model with changed arguments."""
    config = json.loads(hub.contents(model, REPO)[hub_client.CONFIG])
    config["model"] |= changes
    return json.dumps(config).encode()


def refusal(url: str = URL) -> str:
    with pytest.raises(WeightsError) as caught:
        zoo.load(url)
    return str(caught.value)


# --- there and back ---


def test_a_pushed_model_is_loaded_bit_by_bit(server, model):
    pinned = zoo.push(model, URL)
    again = zoo.load(URL)
    np.testing.assert_array_equal(predicted(again), predicted(model))
    assert {**again.get_config(), "card": None} == model.get_config()
    assert again.card.origin == pinned


def test_the_training_note_of_a_model_is_pushed(server):
    taught = zoo.build("pons2016", ["drums", "voice"], variant="time")
    taught.record("trained from nothing on songs: 3 clips, 2 labels")
    zoo.push(taught, URL)
    assert zoo.load(URL).card.trained == "trained from nothing on songs: 3 clips, 2 labels"
    assert "3 clips, 2 labels" in server.repositories[REPO].head["README.md"].decode()


OTHER_PROCESS = """
import hashlib, sys, numpy as np, zoo
model = zoo.load(sys.argv[1])
noise = np.random.default_rng(0).uniform(-1, 1, (2, model.segmentation.segment))
print(hashlib.sha256(model.predict_on_batch(noise.astype("float32")).tobytes()).hexdigest())
"""


def process(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(Path(zoo.__file__).parents[1])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_another_process_loads_the_same_with_the_usual_environment_variables(
    server, model, tmp_path
):
    zoo.push(model, URL, private=True)
    home = str(tmp_path / "home")
    with process(OTHER_PROCESS, URL, HF_ENDPOINT=server.url, HF_HOME=home) as first:
        output, errors = first.communicate(timeout=120)
    assert output.strip() == hashlib.sha256(predicted(model).tobytes()).hexdigest(), errors
    assert list(Path(home).rglob("model.safetensors"))


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "time", "activation": "softmax"},
        {"variant": "frequency", "backend": "attention", "per_feature": True},
        {"variant": "time", "backend": "rnn", "dtype": "mixed_bfloat16"},
        {"variant": "time", "backend": "temporal_pooling", "dtype": "bfloat16"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_options_back_ends_and_precisions_come_back(server, options):
    model = zoo.build("pons2016", ["a", "ü \"'|\n"], **options)
    zoo.push(model, URL)
    again = zoo.load(URL)
    assert {**again.get_config(), "card": None} == model.get_config()
    np.testing.assert_array_equal(predicted(again), predicted(model))


def test_all_files_come_in_one_commit_and_others_stay(server, model):
    upload(server, {"notes.md": b"mine"})
    zoo.push(model, URL, message="better")
    kept = server.repositories[REPO]
    assert len(kept.commits) == 3
    assert kept.messages[kept.refs["main"]] == "better"
    names = {"config.json", "model.safetensors", "labels.json", "README.md", "notes.md"}
    assert set(kept.head) == names
    assert json.loads(kept.head[hub.LABELS]) == ["drums", "voice"]


def test_a_new_head_or_another_precision_can_be_requested(server, model):
    zoo.push(model, URL)
    assert zoo.load(URL, dtype="mixed_bfloat16").get_config()["dtype"] == "mixed_bfloat16"
    mine = zoo.load(URL, labels=["a", "b", "c"])
    assert mine.output_shape == (None, 3)
    assert mine.card.origin.startswith(f"{URL}@")


def test_the_configuration_has_every_argument_of_a_model(model):
    assert model.get_config().keys() == {*hub_files.Network.__struct_fields__, "card"}


# --- revisions ---


def test_a_revision_is_pinned(server, model, other):
    first = zoo.push(model, URL)
    server.repositories[REPO].refs["v1"] = first.split("@")[1]
    second = zoo.push(other, URL)
    assert first != second
    for url, expected in [(first, model), (second, other), (URL, other), (f"{URL}@v1", model)]:
        np.testing.assert_array_equal(predicted(zoo.load(url)), predicted(expected))


def test_the_same_model_again_changes_no_file(server, model):
    zoo.push(model, URL)
    before = dict(server.repositories[REPO].head)
    zoo.push(model, URL)
    assert server.repositories[REPO].head == before


def test_the_commit_is_kept_and_logged(server, model, caplog):
    pinned = zoo.push(model, URL)
    with caplog.at_level(logging.INFO, "zoo"):
        loaded = zoo.load(f"{URL}@main")
    assert loaded.card.origin == pinned
    assert pinned in str(loaded.card)
    assert f"{URL}@main is {pinned}" in caplog.text


def test_a_missing_revision_is_refused(server, model):
    zoo.push(model, URL)
    assert "alice/tags has no branch, tag or commit 'v9'" in refusal(f"{URL}@v9")
    assert "no branch, tag or commit" in refusal(f"{URL}@{'0' * 40}")


# --- the cache ---


def test_a_pinned_commit_is_loaded_again_without_a_request(server, model):
    pinned = zoo.push(model, URL)
    first = zoo.load(pinned)
    server.requests.clear()
    np.testing.assert_array_equal(predicted(zoo.load(pinned)), predicted(first))
    assert server.requests == []


def test_a_branch_that_was_loaded_is_downloaded_once(server, model):
    zoo.push(model, URL)
    zoo.load(URL)
    server.requests.clear()
    zoo.load(URL)
    assert {method for method, _ in server.requests} == {"HEAD"}


def test_without_the_hub_the_last_commit_of_a_branch_is_used_with_a_warning(server, model, caplog):
    pinned = zoo.push(model, URL)
    zoo.load(URL)
    server.refuse = "/"
    np.testing.assert_array_equal(predicted(zoo.load(URL)), predicted(model))
    assert f"Using {pinned} from the cache" in caplog.text


def test_with_the_server_gone_the_cache_serves_and_the_rest_is_an_error(model, monkeypatch):
    with hub_server.running() as server:
        log_in(server, monkeypatch)
        zoo.push(model, URL)
        zoo.load(URL)
    np.testing.assert_array_equal(predicted(zoo.load(URL)), predicted(model))
    assert "could not be used for hf://alice/other" in refusal("hf://alice/other")


@pytest.mark.parametrize("variable", ["ZOO_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_only_the_cache_is_used(server, model, monkeypatch, variable):
    zoo.push(model, URL)
    zoo.load(URL)
    server.requests.clear()
    monkeypatch.setenv(variable, "1")
    np.testing.assert_array_equal(predicted(zoo.load(URL)), predicted(model))
    message = refusal("hf://alice/other")
    assert f"not in the cache, and {variable} is set" in message
    assert "zoo fetch hf://alice/other" in message
    with pytest.raises(WeightsError, match=f"{variable} is set"):
        zoo.push(model, URL)
    assert server.requests == []


def test_a_hub_that_does_not_answer_times_out(server, monkeypatch):
    upload(server, {})
    monkeypatch.setattr(hub_client, "TIMEOUT", 0.3)
    server.stall = threading.Event()
    assert "timed out" in refusal()


def test_a_damaged_cached_file_is_not_loaded(server, model):
    pinned = zoo.push(model, URL)
    weights = hub_client.fetch(pinned).weights.resolve()
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    message = refusal(pinned)
    assert "not the file that config.json was written for" in message
    assert f"delete {weights}" in message
    weights.unlink()
    np.testing.assert_array_equal(predicted(zoo.load(pinned)), predicted(model))


# --- who may ---


def test_a_private_repository_needs_its_token(server, model, monkeypatch, forget):
    zoo.push(model, URL, private=True)
    assert server.repositories[REPO].private
    zoo.load(URL)
    forget()
    monkeypatch.delenv("HF_TOKEN")
    message = refusal()
    assert "there is none, or it is private and no token was sent" in message
    assert "HF_TOKEN" in message
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    assert "gives no access to it" in refusal()
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    assert "the hub refuses" in refusal()


def test_the_token_of_a_login_is_used(server, model, monkeypatch):
    zoo.push(model, URL, private=True)
    monkeypatch.delenv("HF_TOKEN")
    Path(constants.HF_TOKEN_PATH).write_text("hf_alice")
    assert zoo.load(URL).labels == model.labels


def test_a_missing_repository_is_refused(server):
    assert "the hub shows no repository 'alice/nothing'" in refusal("hf://alice/nothing")


@pytest.mark.parametrize(("token", "why"), [("hf_bob", "gives no access"), (None, "no token")])
def test_only_the_owner_pushes(server, model, monkeypatch, token, why):
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    else:
        monkeypatch.setenv("HF_TOKEN", token)
    for there in (False, True):
        with pytest.raises(WeightsError, match=f"the hub refuses .*{why}"):
            zoo.push(model, URL)
        if not there:
            upload(server, {})
    assert server.repositories[REPO].head == {}


def test_a_private_upload_to_a_public_repository_is_refused(server, model):
    upload(server, {})
    with pytest.raises(WeightsError, match="exists and is public: nothing was uploaded"):
        zoo.push(model, URL, private=True)
    assert server.repositories[REPO].head == {}


# --- interruptions ---


def test_a_failed_upload_leaves_no_half_commit(server, model, other):
    zoo.push(model, URL)
    before = dict(server.repositories[REPO].head)
    server.refuse = "/storage"
    with pytest.raises(WeightsError, match="could not be used"):
        zoo.push(other, URL)
    server.refuse = None
    assert server.repositories[REPO].head == before
    np.testing.assert_array_equal(predicted(zoo.load(URL)), predicted(model))


PUSH = """
import sys, zoo
zoo.push(zoo.build("pons2016", ["a", "b"], variant="time"), sys.argv[1])
"""


def test_a_killed_upload_leaves_no_half_commit(server, tmp_path):
    server.stall = threading.Event()
    environment = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    home = str(tmp_path / "home")
    with process(PUSH, URL, HF_ENDPOINT=server.url, HF_HOME=home, **environment) as pushing:
        while pushing.poll() is None and not server.started.wait(0.1):
            pass
        assert server.started.is_set(), pushing.communicate()[1]
        pushing.kill()
    server.stall.set()
    server.stall = None
    assert server.repositories[REPO].head == {}
    assert "is not a model of the zoo" in refusal()


# --- what is refused ---


@pytest.mark.parametrize(
    "url",
    ["hf://", "hf://tags", "hf://alice/tags/x", "hf://alice/tags@", "hf://a/b@../c", "hf://a/b c"],
)
def test_an_invalid_address_is_refused(url):
    with pytest.raises(ConfigError, match="no address on the hub; expected hf://user/repo"):
        zoo.load(url)


def test_an_invalid_name_on_the_hub_is_refused():
    with pytest.raises(ConfigError, match=r"no address on the hub: .*--"):
        zoo.load("hf://alice/a--b")


def test_push_takes_models_and_repositories_only(model):
    with pytest.raises(ConfigError, match="not a Functional"):
        zoo.push(model.stage("frontend"), URL)
    with pytest.raises(ConfigError, match="names a revision"):
        zoo.push(model, f"{URL}@main")


class Attack:
    def __reduce__(self):
        return (Path.touch, (Path(os.environ["ATTACKED"]),))


def test_pickles_and_code_are_refused_and_not_even_downloaded(server, monkeypatch, tmp_path):
    monkeypatch.setenv("ATTACKED", str(tmp_path / "attacked"))
    bad = pickle.dumps(Attack())
    upload(server, {"pytorch_model.bin": bad, "model.pkl": bad, "model.py": b"import attack"})
    message = refusal()
    assert "is not a model of the zoo" in message
    assert "pickles" in message
    upload(server, {"config.json": changed(zoo.build("pons2016", ["a"], variant="time"))})
    assert "lacks config.json or model.safetensors" in refusal()
    assert {path.rsplit("/", 1)[1] for method, path in server.requests} == {
        "config.json",
        "model.safetensors",
    }
    assert not (tmp_path / "attacked").exists()


LAMBDA = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": "e"}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"options": {"variant": LAMBDA}}, "model.options"),
        ({"dtype": LAMBDA}, "model.dtype"),
        ({"custom": 1}, "unknown field `custom`"),
        ({"architecture": "../evil"}, "architecture '../evil', which music-zoo"),
        ({"options": {"variant": "none"}}, "does not make a network"),
        ({"dtype": "float7"}, "does not make a network"),
        ({"labels": []}, "does not make a network"),
    ],
    ids=str,
)
def test_an_invalid_configuration_is_refused(server, model, changes, why):
    files = hub.contents(model, REPO)
    upload(server, {**files, "config.json": changed(model, **changes)})
    assert why in refusal()


@pytest.mark.parametrize("content", [b'{"model_type": "bert"}', b"[]", b"\xff", b""])
def test_the_configuration_of_another_library_is_refused(server, content):
    upload(server, {"config.json": content, "model.safetensors": b""})
    assert "is not a model of the zoo" in refusal()


def with_weights(model, content: bytes) -> dict[str, bytes]:
    config = json.loads(hub.contents(model, REPO)[hub_client.CONFIG])
    config["sha256"] = hashlib.sha256(content).hexdigest()
    return {"config.json": json.dumps(config).encode(), "model.safetensors": content}


def test_wrong_tensors_are_reported(server, model):
    tensors = safetensors.numpy.load(hub.contents(model, REPO)[hub_client.WEIGHTS])
    kernel = tensors.pop("logits/kernel")
    upload(server, with_weights(model, safetensors.numpy.save({**tensors, "extra": kernel})))
    assert "also has ['logits/kernel'], the file also has ['extra']" in refusal()
    wrong = safetensors.numpy.save({**tensors, "logits/kernel": kernel.T.copy()})
    upload(server, with_weights(model, wrong))
    assert "hf://alice/tags@" in refusal()
    assert "does not fit the network: logits/kernel is (672, 2)" in refusal()


def test_a_file_that_is_not_safetensors_is_refused(server, model):
    upload(server, with_weights(model, pickle.dumps(Attack)))
    assert "model.safetensors of hf://alice/tags@" in refusal()


def test_weights_with_a_card_of_another_version_are_loaded(server, model, caplog):
    config = json.loads(changed(model)) | {"checkpoints": {"fake2020.one": {"new": 1}}}
    upload(server, hub.contents(model, REPO) | {"config.json": json.dumps(config).encode()})
    assert zoo.load(URL).card.checkpoints == {}
    assert "describes its weights in another form" in caplog.text


def test_a_checkpoint_loaded_from_the_hub_is_recognised(server, pons):
    zoo.push(pons, URL)
    again = zoo.load(URL)
    assert again.card.checkpoints == pons.card.checkpoints
    assert origin.origin(again).unchanged


# --- the command line ---


def test_push_and_fetch_on_the_command_line(server, model, monkeypatch, tmp_path):
    monkeypatch.setattr("warnings.showwarning", None)  # main() sets its own; undone afterwards
    model.save(tmp_path / "mine.keras")
    arguments = [str(tmp_path / "mine.keras"), URL, "--private", "--licence", "MIT"]
    pushed = CliRunner().invoke(cli.main, ["push", *arguments])
    pinned = pushed.stdout.strip()
    assert pinned == f"{URL}@{server.repositories[REPO].refs['main']}"
    assert server.repositories[REPO].private
    fetched = CliRunner().invoke(cli.main, ["fetch", URL])
    assert fetched.stdout.startswith(pinned)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    np.testing.assert_array_equal(predicted(zoo.load(URL)), predicted(model))
    failed = CliRunner().invoke(cli.main, ["fetch", "hf://alice/other", URL])
    assert failed.exit_code == 1
    assert "hf://alice/other is not in the cache" in failed.stderr
    assert failed.stdout.startswith(pinned)


@only_on("tensorflow")  # the others import TensorFlow too, which writes its own lines
@pytest.mark.parametrize("way", ["plain", "xet"])
def test_push_prints_the_address_and_no_log(server, model, tmp_path, way):
    model.save(tmp_path / "mine.keras")
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "push", str(tmp_path / "mine.keras"), URL],
        env={**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")}
        | {"HF_HUB_DISABLE_XET": "1" if way == "plain" else "0"},
        capture_output=True,
        text=True,
    )
    if way == "plain":
        assert done.stdout.strip() == f"{URL}@{server.repositories[REPO].refs['main']}"
        assert done.stderr == ""
    else:  # the server does not know this way, whose bars are begun all the same
        assert done.stderr.count("\n") <= 1
        assert "Processing" not in done.stderr


# --- the model card ---


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_card_of_a_checkpoint_has_its_authors_and_scores(pons):
    files = hub.contents(pons, REPO)
    text = files[hub.README].decode()
    data = front_matter(text)
    assert data["license"] == "isc"
    assert data["library_name"] == "keras"
    assert data["pipeline_tag"] == "audio-classification"
    assert data["metrics"] == ["roc_auc", "pr_auc", "roc_auc_on_real_players"]
    assert data["model-index"][0]["results"][0]["metrics"][0]["value"] == pytest.approx(
        0.9067, abs=1e-4
    )
    assert {"music-zoo", "pons2017", "music-tagging"} <= set(data["tags"])
    record = pons.card.checkpoints["pons2017.mtt"]
    for part in (
        "Jordi Pons, Music Technology Group",
        record.citation,
        "`pons2017.mtt`, unchanged",
        "https://arxiv.org/abs/1711.02520",
        'zoo.load("hf://alice/tags")',
        "| ROC-AUC | 0.9067 | MagnaTagATune |",
        '"no vocals"',
    ):
        assert part in text
    assert b"Permission to use, copy" in files["LICENSE"]


@pytest.mark.parametrize(
    ("name", "wording"), [("pons2017.msd", b"ISC"), ("choi2016.msd_won2020", b"MIT")]
)
def test_the_text_of_a_licence_accompanies_all_weights_of_its_owner(name, wording):
    record = zoo.info(name).checkpoints[name]
    assert wording in origin.licence_text(origin.Origin(record=record))


def test_published_and_measured_scores_stand_apart(pons, monkeypatch):
    record = origin.origin(pons).record
    first, second = (m for m in record.metrics if m.kind == "published")
    mixed = (first, msgspec.structs.replace(second, kind="measured"))
    record = msgspec.structs.replace(record, metrics=mixed)
    came_from = origin.Origin(checkpoint="pons2017.mtt", record=record, unchanged=True)
    monkeypatch.setattr(model_card, "origin", lambda model: came_from)
    _, published, measured = model_card.readme(pons, REPO).split("\n## Scores ")
    assert published.startswith("published by the weights' authors")
    assert "ROC-AUC" in published
    assert "PR-AUC" not in published
    assert measured.startswith("measured by music-zoo")
    assert "PR-AUC" in measured


def test_weights_that_were_trained_further_have_no_scores(pons):
    mine = pons.with_labels(["a", "b"])
    text = model_card.readme(mine, REPO)
    assert "model-index" not in front_matter(text)
    assert "0.9067" not in text
    assert "from `pons2017.mtt`" in text
    same_labels = zoo.load("pons2017.mtt")
    assert origin.origin(same_labels).unchanged
    kernel = same_labels.get_layer("logits").kernel
    kernel.assign(kernel * 1.01)
    assert not origin.origin(same_labels).unchanged


def test_the_card_states_the_licence_or_that_there_is_none(model):
    text = model_card.readme(model, REPO)
    assert "license" not in front_matter(text)
    assert "| licence of the weights | not stated |" in text
    assert front_matter(model_card.readme(model, REPO, "CC-BY-4.0"))["license"] == "cc-by-4.0"
    own = front_matter(model_card.readme(model, REPO, "Our own, 2"))
    assert (own["license"], own["license_name"]) == ("other", "our-own-2")


def test_a_model_from_the_hub_names_its_base_model(server, model):
    pinned = zoo.push(model, URL)
    zoo.push(zoo.load(URL, labels=["x"]), "hf://alice/mine")
    text = server.repositories["alice/mine"].head[hub.README].decode()
    assert front_matter(text)["base_model"] == REPO
    assert pinned in text


def test_the_card_names_no_other_checkpoint(monkeypatch, pons):
    monkeypatch.setattr(fetch, "tensors", no_network)
    assert not origin.origin(pons).unchanged


def no_network(name):
    raise WeightsError("no network")
