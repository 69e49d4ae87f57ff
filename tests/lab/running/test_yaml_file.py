"""Tests of how YAML files are read."""

import pytest

from physnn.lab.running import yaml_file


def written(tmp_path, content):
    path = tmp_path / "file.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "+1e-3", "0.1e-2", "1.0e-3", "100.e-5", ".1e-2"])
def test_a_number_with_an_exponent_is_a_number(tmp_path, text):
    value = yaml_file.read(written(tmp_path, f"lr: [{text}]"))["lr"][0]
    assert type(value) is float and value == 1e-3


@pytest.mark.parametrize("text", ["1e-3x", "e3", "1e", "'1e-3'", "x1e3", "1.0.0"])
def test_what_only_looks_like_one_is_text(tmp_path, text):
    assert yaml_file.read(written(tmp_path, f"name: {text}"))["name"] == text.strip("'")


def test_all_else_is_as_pyyaml_reads_it(tmp_path):
    assert yaml_file.read(written(tmp_path, "a: [1, 1.5, yes, null, text, 2]")) == {
        "a": [1, 1.5, True, None, "text", 2]
    }
    assert yaml_file.read(written(tmp_path, "")) is None


def test_as_text_leaves_every_value_text(tmp_path):
    assert yaml_file.read(written(tmp_path, "a: [1e-3, 1:30, yes]"), as_text=True) == {"a": ["1e-3", "1:30", "yes"]}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("text", ["lr: 1\nseeds: 2\nlr: 3\n", "a: 0\nb:\n  - {lr: 1, lr: 1}\n", "lr: 1\n\n'lr': 2\n"])
def test_a_key_that_is_given_twice_is_refused_with_its_line(tmp_path, text, as_text):
    with pytest.raises(ValueError, match=r"file\.yml, line 3: the key 'lr' is given twice"):
        yaml_file.read(written(tmp_path, text), as_text)


def test_a_mapping_may_replace_what_it_takes_over(tmp_path):
    text = "a: &a {lr: 1, seed: 2}\nb: {<<: *a, lr: 3}\n"
    assert yaml_file.read(written(tmp_path, text))["b"] == {"lr": 3, "seed": 2}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert yaml_file.read(written(tmp_path, b"\xef\xbb\xbflr: 1\r\n")) == {"lr": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", r"file\.yml, line 3: "),
        ("a: *unknown\n", r"file\.yml, line 1: found undefined alias"),
        ("a: 1\n\tb: 2\n", r"file\.yml, line 2: "),
        (b"a: \xff\xfe\n", r"file\.yml is no YAML: .*utf-8"),
        ("a: 2026-13-01\n", r"file\.yml is no YAML: month must be in 1\.\.12"),
        ("a: \x01\n", r"file\.yml is no YAML: unacceptable character"),
    ],
)
def test_what_is_no_yaml_is_named_in_one_line(tmp_path, content, said):
    with pytest.raises(ValueError, match=said) as caught:
        yaml_file.read(written(tmp_path, content))
    assert "\n" not in str(caught.value)
