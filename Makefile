SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup train test lint clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: ## make or bring up to date all that the others need
	@scripts/setup.sh

train: setup ## learn PCB insertion in simulation; ARGS="--seed 1" goes to `serl train`
	@source ./env.sh && exec serl train pcb_insertion $(ARGS)

test: setup ## every test, C++ and Python; ARGS="-k replay" goes to pytest
	@scripts/test.sh $(ARGS)

lint: setup ## style and spelling
	@scripts/lint.sh

clean: ## remove what set-up made; runs/, demos/ and rewards/ stay
	rm -rf .venv build install log .pytest_cache .ruff_cache .hypothesis
