"""The program's commands by name: the module under `trainroute.cli` that has each, and what it does in one line."""

PROGRAM = "trainroute"
ABOUT = "Decide where to train (pooled, per symbol, both, experiment, nothing), then train exactly that."

COMMANDS = {
    "run": ("training", "The one command: rank, select, measure, route, plan, train."),
    "train": ("training", "Train by the plan that is there, or without one."),
    "predict": ("predicting", "Predict new rows with the trained models, as the plan routes them."),
    "route": ("routing", "Turn a candidates table of your own into a routing plan and a training plan."),
    "show": ("plans", "Print a plan: routes, jobs, families."),
    "validate": ("plans", "Check a plan: schema, consistency, staleness, names."),
    "explain": ("explaining", "Say why pairs are routed as they are, and what would change it."),
    "diff": ("comparing", "Compare two plans: jobs, routes, and why."),
    "families": ("families", "List the model families: what they can do, and whether they are installed."),
    "prepare": ("data", "Turn OHLCV bars into features and targets."),
    "sample": ("data", "Write the real sample data."),
    "init": ("data", "Write an editable config."),
}

COMPATIBILITY = {
    "TRAINING.orchestration.intelligent_trainer": ("intelligent_trainer", COMMANDS["run"][1]),
    "TRAINING.training_strategies.main": ("training_main", COMMANDS["train"][1]),
}
