"""Running steps: order, overlap, errors, and layers that are there already."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from goldsmith.builder import layers
from goldsmith.builder.execute import Action, Ran, execute
from goldsmith.builder.layers import Layer
from goldsmith.builder.refresh import adopt
from goldsmith.effects.machine_run import boot_id
from goldsmith.errors import StepFailed
from goldsmith.model.plan import Step
from goldsmith.model.tree import Changes
from goldsmith.store.home import Home


class Log:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step_started(self, name: str) -> None:
        self.said.append(f"start {name}")

    def step_ended(self, name: str, *, seconds: float, cached: bool) -> None:
        assert seconds >= 0
        self.said.append(f"{'cached' if cached else 'end'} {name}")

    def downloading(self, done: int, total: int) -> None:
        raise AssertionError((done, total))

    def warn(self, message: str) -> None:
        raise AssertionError(message)


def step(name: str, *below: str) -> Step:
    return Step(name, "kind", 1, {"name": name}, below)


def key(name: str) -> str:
    return "sha256:" + name.encode().hex().ljust(64, "0")


def made(home: Home, name: str, work: Callable[[], None] = lambda: None, *, version: str = "1") -> Action:
    """An action that makes a layer with one file of the step's name."""

    def action(own: str, below: Sequence[Layer]) -> Layer:
        work()
        fresh = home / f"work/{name}-{threading.get_ident()}"
        fresh.mkdir(parents=True)
        (fresh / name).write_text(version)
        changes = layers.scan(fresh, epoch=1_700_000_000, started=1e12)
        notes = {"below": [layer.key.partition("-")[0] for layer in below]}
        return layers.record(home, own, fresh, changes, notes)

    return action


def ran(
    home: Home,
    steps: Sequence[Step],
    actions: dict[str, Action] | None = None,
    *,
    jobs: int = 2,
    fresh: str = "",
    log: Log | None = None,
) -> tuple[list[Ran], list[str]]:
    log = log or Log()
    every = {s.name: made(home, s.name) for s in steps} | (actions or {})
    keys = {s.name: key(s.name) for s in steps}
    return execute(steps, keys, every, home=home, jobs=jobs, fresh=fresh, listener=log), log.said


CHAIN = [step("a"), step("b", "a"), step("c", "a", "b")]


def test_steps_run_after_those_they_stand_on_and_get_their_layers_in_order(tmp_path: Path) -> None:
    home = Home(tmp_path)
    done, said = ran(home, CHAIN)
    assert said == ["start a", "end a", "start b", "end b", "start c", "end c"]
    assert [r.name for r in done] == ["a", "b", "c"]
    assert done[2].layer.notes["below"] == [key("a"), key("b")]
    assert (done[2].layer.tree / "c").read_text() == "1"


def test_results_come_in_plan_order_even_where_steps_end_otherwise(tmp_path: Path) -> None:
    home = Home(tmp_path)
    steps = [step("slow"), step("quick")]
    log = Log()

    def until_the_other_has_ended() -> None:
        end = time.monotonic() + 30
        while "end quick" not in log.said and time.monotonic() < end:
            time.sleep(0.01)

    actions = {"slow": made(home, "slow", until_the_other_has_ended)}
    done, said = ran(home, steps, actions, log=log)
    assert said[-2:] == ["end quick", "end slow"]
    assert [r.name for r in done] == ["slow", "quick"]


@pytest.mark.parametrize(
    ("jobs", "meet"),
    [pytest.param(2, True, id="two jobs overlap"), pytest.param(1, False, id="one job does not")],
)
def test_steps_that_do_not_wait_for_each_other(tmp_path: Path, *, jobs: int, meet: bool) -> None:
    home = Home(tmp_path)
    barrier = threading.Barrier(2)
    met = []

    def work() -> None:
        try:
            barrier.wait(timeout=30 if meet else 0.3)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)

    steps = [step("a"), step("b")]
    ran(home, steps, {name: made(home, name, work) for name in "ab"}, jobs=jobs)
    assert met == [meet, meet]


def test_an_error_ends_the_build_with_that_error_and_what_runs_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ended = []
    started = threading.Event()

    def fail() -> None:
        assert started.wait(30)
        raise StepFailed("it broke", hint="mend it")

    def slow() -> None:
        started.set()
        time.sleep(0.3)
        ended.append("slow")

    steps = [step("bad"), step("slow"), step("after", "bad"), step("never", "slow")]
    actions = {
        "bad": made(home, "bad", fail),
        "slow": made(home, "slow", slow),
        "never": made(home, "never", lambda: ended.append("never")),
        "after": made(home, "after", lambda: ended.append("after")),
    }
    with pytest.raises(StepFailed, match="it broke"):
        ran(home, steps, actions)
    assert ended == ["slow"]
    assert layers.load(home, key("slow")) is not None
    assert layers.load(home, key("bad")) is None


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ran(home, CHAIN)
    layers.drop(layers.place(home, key("b")))
    done, said = ran(home, CHAIN)
    assert said == ["cached a", "start b", "end b", "cached c"]
    assert [r.cached for r in done] == [True, False, True]


@pytest.mark.parametrize(
    ("harm", "kept"), [("", "1"), ("evil", "2")], ids=["sound layers stay", "damaged are replaced"]
)
def test_a_fresh_run_runs_everything_aside_and_mends_the_cache(harm: str, kept: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    first, _ = ran(home, CHAIN)
    inode = (first[0].layer.tree / "a").stat().st_ino
    done, said = ran(home, CHAIN, {"b": made(home, "b", version="2")}, fresh="77-web")
    assert said == ["start a", "end a", "start b", "end b", "start c", "end c"]
    assert done[2].layer.notes["below"] == [key("a"), key("b")]
    assert (layers.place(home, key("b")) / "tree/b").read_text() == "1"
    if harm:
        (layers.place(home, key("b")) / "tree/b").write_text(harm)
    adopt(home, done)
    same, changed = layers.load(home, key("a")), layers.load(home, key("b"))
    assert same is not None
    assert changed is not None
    assert (same.tree / "a").stat().st_ino == inode
    assert (changed.tree / "b").read_text() == kept
    assert [p.name for p in layers.room(home).iterdir() if "77-web" in p.name] == []


def test_a_layer_made_twice_at_once_is_one_layer(tmp_path: Path) -> None:
    home = Home(tmp_path)
    barrier = threading.Barrier(2)
    got: list[Layer] = []

    def build() -> None:
        def together() -> None:
            barrier.wait(5)

        action = made(home, "a", together)
        got.append(action(key("a"), []))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 2
    assert got[0].changes == got[1].changes
    found = layers.load(home, key("a"))
    assert found is not None
    assert (found.tree / "a").read_text() == "1"


HARM: dict[str, Callable[[Path], object]] = {
    "a file's content": lambda d: (d / "tree/f").write_text("evil"),
    "a file's length": lambda d: (d / "tree/f").write_text("longer than before"),
    "a file that is gone": lambda d: (d / "tree/f").unlink(),
    "a link that points elsewhere": lambda d: (d / "tree/evil").rename(d / "tree/l"),
    "a tree that is gone": lambda d: (d / "tree").rename(d / "elsewhere"),
}


def sample(home: Home) -> Layer:
    fresh = home / "work/sample"
    fresh.mkdir(parents=True)
    (fresh / "f").write_text("good")
    (fresh / "l").symlink_to("f")
    (fresh / "evil").symlink_to("/evil")
    return layers.record(home, key("s"), fresh, layers.scan(fresh, epoch=1, started=1e12), {"n": [1]})


def of_another_run_of_the_machine(layer: Layer) -> Path:
    """The layer's directory, as a machine that started again finds it."""
    directory = layer.tree.parent
    facts = directory / "layer.json"
    facts.write_text(facts.read_text().replace(boot_id(), "another"))
    return directory


@pytest.mark.parametrize("harm", HARM)
def test_after_a_crash_a_damaged_layer_is_dropped(tmp_path: Path, harm: str) -> None:
    home = Home(tmp_path)
    directory = of_another_run_of_the_machine(sample(home))
    HARM[harm](directory)
    assert layers.load(home, key("s")) is None
    assert not (directory / "layer.json").exists()


def test_after_a_crash_a_sound_layer_is_believed_and_marked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    layer = sample(home)
    directory = of_another_run_of_the_machine(layer)
    assert layers.load(home, key("s")) == layer
    assert boot_id() in (directory / "layer.json").read_text()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut short"),
        pytest.param("[]", id="another kind of JSON"),
        pytest.param('{"boot": "x", "removed": []}', id="fields missing"),
        pytest.param('{"boot": "x", "removed": [], "entries": [[1]], "notes": {}}', id="a short row"),
    ],
)
def test_a_layer_whose_facts_are_damaged_is_dropped(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path)
    directory = sample(home).tree.parent
    (directory / "layer.json").write_text(text)
    assert layers.load(home, key("s")) is None
    assert not directory.exists()


def test_a_layer_without_facts_does_not_count_and_is_replaced(tmp_path: Path) -> None:
    home = Home(tmp_path)
    directory = layers.place(home, key("s"))
    (directory / "tree/old").mkdir(parents=True)
    assert layers.load(home, key("s")) is None
    layer = sample(home)
    assert sorted(p.name for p in layer.tree.iterdir()) == ["evil", "f", "l"]


def test_a_layer_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    layer = sample(home)
    assert layers.load(home, key("s")) == layer
    assert layer.notes == {"n": [1]}
    assert isinstance(layer.changes, Changes)
    assert [(e.path, e.kind, e.target) for e in layer.changes.entries] == [
        ("/evil", "symlink", "/evil"),
        ("/f", "file", ""),
        ("/l", "symlink", "f"),
    ]
