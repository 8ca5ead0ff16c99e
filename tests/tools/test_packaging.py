"""What is said of the project elsewhere: a recipe for conda, a record for Zenodo, hooks, forms, pages for contributors."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from transtar.version import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))

OF_CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""Names of packages that conda-forge has another name for."""


def read(name) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def as_for_conda(requirement: str) -> str:
    name, condition = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()
    return f"{OF_CONDA.get(name, name)} {condition}".strip()


def test_the_recipe_asks_for_what_the_package_asks_for():
    wanted = [f"python {PROJECT['requires-python']}", *map(as_for_conda, PROJECT["dependencies"])]
    recipe = yaml.safe_load(read("packaging/conda/recipe.yaml"))
    assert sorted(recipe["requirements"]["run"]) == sorted(wanted)
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["about"]["summary"] == PROJECT["description"]
    scripts = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert recipe["build"]["python"]["entry_points"] == scripts
    build = tomllib.loads(read("pyproject.toml"))["build-system"]["requires"]
    assert {as_for_conda(one).replace(">", " >").replace("  ", " ") for one in build} <= set(
        recipe["requirements"]["host"]
    )


def test_the_recipe_renders():
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    (variant,) = rattler.Stage0Recipe.from_file(ROOT / "packaging/conda/recipe.yaml").render()
    assert (variant.recipe.package.name, str(variant.recipe.package.version)) == ("transtar", __version__)
    assert len(variant.recipe.requirements.run) == len(PROJECT["dependencies"]) + 1
    rendered = json.dumps(variant.recipe.to_dict(), default=str)
    assert "${{" not in rendered
    assert '"noarch": "python"' in rendered


def test_a_recipe_that_is_none_does_not_render(tmp_path):
    """The test above can fail: of a misspelt key, and of a variable that nobody sets."""
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    text = read("packaging/conda/recipe.yaml")
    for number, wrong in enumerate(
        (text.replace("requirements:", "requirement:"), text.replace("{{ version }}", "{{ versio }}"))
    ):
        path = tmp_path / str(number) / "recipe.yaml"
        path.parent.mkdir()
        path.write_text(wrong)
        with pytest.raises(Exception, match=r"requirement|versio"):
            rattler.Stage0Recipe.from_file(path).render()


def test_zenodo_gets_the_authors_of_the_citation_and_nobody_else():
    record, citation = json.loads(read(".zenodo.json")), yaml.safe_load(read("CITATION.cff"))
    assert [creator["name"] for creator in record["creators"]] == [author["name"] for author in citation["authors"]]
    assert record["title"] == citation["title"]
    assert record["keywords"] == citation["keywords"]
    assert record["license"] == citation["license"]
    assert (record["upload_type"], record["access_right"]) == ("software", "open")
    # Zenodo takes the version from the tag of a release.
    assert "version" not in record
    (paper,) = citation["references"]
    (related,) = record["related_identifiers"]
    assert related["identifier"] == paper["identifiers"][0]["value"]
    assert set(record) <= ZENODO


ZENODO = {
    "upload_type", "publication_type", "image_type", "publication_date", "title", "creators", "description", "access_right",
    "license", "embargo_date", "access_conditions", "doi", "keywords",
    "notes", "related_identifiers", "contributors", "references",
    "communities", "grants", "subjects", "version", "language", "locations", "dates", "method",
}  # fmt: skip
"""Keys of metadata of Zenodo's deposits: others are refused when a release is made, and nobody is told."""


def test_hooks_check_what_lint_checks():
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))
    by_place = {repo["repo"].rpartition("/")[2]: repo for repo in hooks["repos"]}
    ruff = by_place["ruff-pre-commit"]
    assert ruff["rev"].removeprefix("v") == re.search(r"^ruff==(.*)$", read("constraints.txt"), re.MULTILINE)[1]
    assert {hook["id"] for hook in ruff["hooks"]} == {"ruff-check", "ruff-format"}
    for repo in hooks["repos"]:
        for hook in repo["hooks"]:
            re.compile(hook.get("exclude", ""))


INPUTS = {"markdown", "textarea", "input", "dropdown", "checkboxes", "upload"}


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.name)
def test_forms_are_what_the_issue_tracker_reads(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert (
        {"name", "description", "body"}
        <= set(form)
        <= {"name", "description", "title", "labels", "assignees", "body", "type"}
    )
    assert any(field["type"] != "markdown" for field in form["body"])
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in INPUTS
        assert set(field) <= {"type", "id", "attributes", "validations"}
        needed = {"markdown": {"value"}, "checkboxes": {"label", "options"}}.get(field["type"], {"label"})
        assert needed <= set(field["attributes"])
        for option in field["attributes"].get("options", ()):
            assert {"label"} <= set(option) <= {"label", "required"}


def test_the_settings_of_the_forms():
    assert len(FORMS) >= 4
    assert set(yaml.safe_load(read(".github/ISSUE_TEMPLATE/config.yml"))) <= {"blank_issues_enabled", "contact_links"}


PAGES = (
    "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "docs/release.md", "docs/share-a-model.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
)  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_pages_name_targets_and_files_that_there_are(name):
    text = read(name)
    targets = set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not link.startswith("http"):
            assert (ROOT / name).parent.joinpath(link).exists(), link
    # Nobody and nothing is made up: no address of mail, no page of a repository.
    assert not re.search(r"[\w.]+@[\w-]+\.[a-z]{2,}|github\.com/[\w-]*transtar", text)


def test_the_makefile_tells_of_each_target():
    makefile = read("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1]
    assert set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) <= set(phony.split())


def test_the_root_is_tidy():
    """Files beside the folders: those that tools look for here, and those that people do."""
    known = {
        "CHANGELOG.md", "CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile",
        "README.md", "SECURITY.md", "constraints.txt", "pyproject.toml",
        ".gitignore", ".pre-commit-config.yaml", ".zenodo.json", ".readthedocs.yaml",
    }  # fmt: skip
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    assert {name for name in done.stdout.split("\n") if name and "/" not in name} <= known
