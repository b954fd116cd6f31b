"""Every option of the job changes a number: a walk over config.py finds the ones that do not."""

import ast
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from conftest import write_table
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.network import answer_rows
from modalloy.job import config, federated, matched, private
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.train import train_model
from modalloy.model.model import Model
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

Case = tuple[str, str, Any, Any]  # base job, where in it, one value, another value

TEXT, PHOTO, SOUND = "columns.note", "columns.photo", "columns.sound"
WORDS, VIBRATION = "columns.words", "columns.vibration"
CASES: dict[str, list[Case]] = {
    "Number.size": [("plain", "columns.load.size", "small", "base")],
    "Category.size": [("plain", "columns.site.size", "small", "base")],
    "Time.size": [("plain", "columns.taken_at.size", "small", "base")],
    "Number.embed": [
        ("plain", "columns.load.embed", "piecewise", "periodic"),
        ("plain", "columns.load", {"type": "number"}, {"type": "number", "embed": "linear"}),
    ],
    "Number.scale": [("plain", "columns.load.scale", "linear", "log")],
    "Number.bins": [("plain", "columns.load.bins", 4, 6)],
    "Category.min_count": [("plain", "columns.site.min_count", 1, 60)],
    "Category.statistics": [
        ("plain", "columns.site.statistics", "none", "means"),
        ("plain", "columns.site.statistics", "auto", "means"),
    ],
    "Time.cycles": [("plain", "columns.taken_at.cycles", ["day"], ["day", "week"])],
    "Time.since": [
        ("plain", "columns.taken_at.since", None, "ordered"),
        ("plain", "columns.taken_at.since", "ordered", "promised"),
    ],
    "Text.size": [("text", f"{TEXT}.size", "small", "base")],
    "Text.encoder": [
        (
            "plain",
            "columns.note",
            {"type": "text", "max_tokens": 16},
            {"type": "text", "max_tokens": 16, "encoder": "hf:BERT"},
        )
    ],
    "Text.tune": [("bert", f"{TEXT}.tune", "full", v) for v in ("frozen", "last_n")],
    "Text.last_n": [("bert last_n", f"{TEXT}.last_n", 1, 2)],
    "Text.max_tokens": [("text", f"{TEXT}.max_tokens", 16, 4)],
    "Text.vocabulary": [("text", f"{TEXT}.vocabulary", 128, 80)],
    "Tokens.max_tokens": [("tag", f"{WORDS}.max_tokens", 16, 4)],
    "Image.size": [("photo", f"{PHOTO}.size", "small", "base")],
    "Image.pixels": [("photo", f"{PHOTO}.pixels", 16, 20)],
    "Image.augment": [
        ("photo", f"{PHOTO}.augment", "none", v) for v in ("shift", "flip", "rotate")
    ],
    "Image.all_views": [("turned", f"{PHOTO}.all_views", False, True)],
    "Audio.size": [("sound", f"{SOUND}.size", "small", "base")],
    "Audio.rate_hz": [("sound", f"{SOUND}.rate_hz", 4000, 2000)],
    "Audio.seconds": [("sound", f"{SOUND}.seconds", 0.25, 0.15)],
    "Audio.augment": [("sound", f"{SOUND}.augment", "none", "mask")],
    "Audio.resonances": [("sound", f"{SOUND}.resonances", 0, 2)],
    "Audio.encoder": [("wav2vec2", f"{SOUND}.encoder", "scratch", "hf:WAV2VEC2")],
    "Audio.tune": [("wav2vec2", f"{SOUND}.tune", "full", v) for v in ("frozen", "last_n")],
    "Audio.last_n": [("wav2vec2 last_n", f"{SOUND}.last_n", 1, 2)],
    "History.rows": [("history", f"{VIBRATION}.history.rows", 4, 6)],
    "History.by": [("history", f"{VIBRATION}.history.by", ["machine"], ["site"])],
    "History.order": [("history", f"{VIBRATION}.history.order", "taken_at", "row")],
    "Series.size": [("learned", f"{VIBRATION}.size", "small", "base")],
    "Series.channels": [("history", f"{VIBRATION}.from", ["load"], ["load", "hours_left"])],
    "Series.rate_hz": [("order", f"{VIBRATION}.rate_hz", 100, 80)],
    "Series.rpm": [
        ("order", f"{VIBRATION}.rpm", 600, 700),
        ("order", f"{VIBRATION}.rpm", 600, "load"),
    ],
    "Series.length": [("series", f"{VIBRATION}.length", 32, 16)],
    "Series.front": [
        ("series", f"{VIBRATION}.front", ["statistics"], [v])
        for v in ("learned", "recent", "spectrum", "envelope")
    ],
    "Series.history": [
        (
            "series",
            VIBRATION,
            {"type": "series", "length": 32, "front": ["statistics"]},
            {
                "type": "series",
                "from": ["load"],
                "front": ["statistics"],
                "history": {"by": ["machine"], "order": "taken_at", "rows": 4},
            },
        )
    ],
    "Series.augment": [("series", f"{VIBRATION}.augment", "none", v) for v in ("gain", "jitter")],
    "Split.column": [("plain", "split", {"by": "machine"}, {"column": "part"})],
    "Split.by": [("plain", "split", {"by": "machine"}, {"by": "site"})],
    "Split.hold_out": [("plain", "split.hold_out", ["m1"], ["m2", "m3"])],
    "Split.time": [("plain", "split", {"by": "machine"}, {"time": "taken_at"})],
    "Split.random": [("plain", "split", {"by": "machine"}, {"random": "stratified"})],
    "Split.test": [("plain", "split.test", 0.25, 0.5)],
    "Split.validation": [("plain", "split.validation", 0.2, 0.0)],
    "Split.calibration": [("plain", "split.calibration", 0.0, 0.3)],
    "Fusion.width": [("plain", "fuse.width", 16, 24)],
    "Fusion.dropout": [("plain", "fuse.dropout", 0.0, 0.5)],
    "Fusion.modality_dropout": [("text", "fuse.modality_dropout", 0.0, 0.5)],
    "Fusion.auxiliary": [("text", "fuse.auxiliary", 0.0, 1.0)],
    "Fusion.consistency": [("text", "fuse.consistency", 0.0, 1.0)],
    "Multilinear.rank": [
        ("text", "fuse", {"type": "multilinear", "rank": r}, {"type": "multilinear", "rank": 2})
        for r in (3,)
    ],
    "Bottleneck.bottlenecks": [
        (
            "text",
            "fuse",
            {"type": "bottleneck", "width": 16, "bottlenecks": 1},
            {"type": "bottleneck", "width": 16, "bottlenecks": 3},
        )
    ],
    "Tabm.members": [
        (
            "text",
            "fuse",
            {"type": "tabm", "width": 16, "members": 2},
            {"type": "tabm", "width": 16, "members": 4},
        )
    ],
    **{
        f"{kind.capitalize()}.layers": [
            (
                "text",
                "fuse",
                {"type": kind, "width": 16, "layers": 1},
                {"type": kind, "width": 16, "layers": 2},
            )
        ]
        for kind in ("concat", "multilinear", "sum", "gated", "attention", "bottleneck", "tabm")
    },
    **{
        f"{kind.capitalize()}.heads": [
            (
                "text",
                "fuse",
                {"type": kind, "width": 16, "heads": 2},
                {"type": kind, "width": 16, "heads": 4},
            )
        ]
        for kind in ("attention", "bottleneck")
    },
    "Task.target": [("plain", "tasks.life.target", "hours_left", "row")],
    "Task.weight": [("plain", "tasks.life.weight", 1.0, 5.0)],
    "Classify.labels": [("plain", "tasks.fault.labels", "single", "multi")],
    "Classify.class_weights": [
        (
            "text",
            "tasks.fault",
            {"type": "classify", "target": "site"},
            {"type": "classify", "target": "site", "class_weights": "balanced"},
        )
    ],
    "Regress.scale": [("plain", "tasks.life.scale", "linear", "log")],
    "Regress.loss": [("plain", "tasks.life.loss", "squared", v) for v in ("absolute", "huber")],
    "Regress.quantiles": [("plain", "tasks.life.quantiles", [], [0.1, 0.9])],
    "Regress.distribution": [
        ("counts", "tasks.life.distribution", "negative_binomial", v)
        for v in ("zero_inflated", "empirical")
    ],
    "Tag.on": [("tag", "tasks.fault.on", "words", "words2")],
    "Locate.labels": [("boxes", "tasks.fault.labels", None, "box_names")],
    "Locate.on": [("boxes", "tasks.fault.on", "photo", "photo2")],
    "Locate.template": [("boxes", "tasks.fault.template", None, "photo2")],
    "Locate.max_boxes": [("boxes", "tasks.fault.max_boxes", 100, 1)],
    "Locate.head": [("boxes", "tasks.fault.head", "dense", "detr")],
    "Locate.queries": [("sets", "tasks.fault.queries", None, 4)],
    "Train.epochs": [("plain", "train.epochs", 1, 2)],
    "Train.least_steps": [("short", "train.least_steps", 0, 120)],
    "Train.batch": [("plain", "train.batch", 16, 8), ("plain", "train.batch", 16, "auto")],
    "Train.optimizer": [("plain", "train.optimizer", "adamw", "sgd")],
    "Train.lr": [("plain", "train.lr", 1e-3, 3e-3)],
    "Train.encoder_lr": [("bert", "train.encoder_lr", 1e-4, 1e-3)],
    "Train.weight_decay": [("plain", "train.weight_decay", 0.0, 5.0)],
    "Train.warmup": [("plain", "train.warmup", 0.0, 0.9)],
    "Train.label_smoothing": [("plain", "train.label_smoothing", 0.0, 0.3)],
    "Train.clip": [("plain", "train.clip", 1.0, 0.01)],
    "Train.patience": [("worse", "train.patience", 0, 1)],
    "Train.ema": [("plain", "train.ema", 0.0, 0.9)],
    "Train.weighting": [
        ("plain", "train.weighting", "sum", v) for v in ("uncertainty", "famo", "pcgrad")
    ],
    "Train.freeze_epochs": [("bert", "train.freeze_epochs", 0, 2)],
    "Train.precision": [("bert", "train.precision", "float32", "bfloat16")],
    "Job.seed": [("plain", "seed", 0, 1)],
}
# Options whose number is checked by a test of their own, named here.
ELSEWHERE = {
    "Number.unit": "tests/report/test_page.py::test_data_section_says_units_shares_and_rows",
    "Regress.unit": "tests/report/test_page.py::test_figures_in_words",
    "Regress.lowest": "tests/answer/decoding/test_decode_regress.py"
    "::test_answers_and_quantiles_stay_within_the_bounds",
    "Regress.highest": "tests/answer/decoding/test_decode_regress.py"
    "::test_answers_and_quantiles_stay_within_the_bounds",
    **dict.fromkeys(
        ("Order.shortage", "Order.holding"),
        "tests/model/tasks/test_task_counts.py"
        "::test_answers_are_whole_rising_quantiles_and_agree_with_scipy",
    ),
    **dict.fromkeys(
        ("Order.lead_time", "Order.review"),
        "tests/judge/test_stocked.py::test_lead_time_and_review_change_what_a_stock_costs",
    ),
    **dict.fromkeys(
        ("Order.item", "Order.period", "Order.sold"),
        "tests/report/test_counts_run.py::test_orders_are_answered_and_judged_as_a_stock",
    ),
    "Tokens.encoder": "tests/model/encoders/test_encoder_text.py::test_minilm_tune",
    "Image.encoder": "tests/model/encoders/test_encoder_image.py::test_transformers_folders",
    "Image.tune": "tests/model/encoders/test_encoder_image.py::test_lite_tune",
    "Image.last_n": "tests/model/encoders/test_encoder_image.py::test_last_n_of_a_tower",
    "Series.tune": "tests/model/encoders/test_encoder_series.py"
    "::test_tune_says_what_of_patchtst_changes",
    "Series.last_n": "tests/model/encoders/test_encoder_series.py"
    "::test_tune_says_what_of_patchtst_changes",
    **dict.fromkeys(
        ("Beside.rank", "Beside.alpha", "Beside.layers"),
        "tests/model/adapters/test_attach.py::test_rank_alpha_and_layers_change_what_learns",
    ),
    **dict.fromkeys(
        ("Adapter.method", "Adapter.last_n"),
        "tests/model/adapters/test_attach.py::test_head_last_n_and_full_learn_as_much_as_they_say",
    ),
    "Adapter.budget_kb": "tests/model/adapters/test_adapter_budget.py"
    "::test_a_budget_is_kept_and_too_small_a_one_is_refused",
    "Fusion.tune": "tests/learn/test_adapting.py"
    "::test_an_encoder_and_a_fusion_of_an_earlier_run_are_adapted_by_tune",
    "Custom.use": "tests/tasks/test_kit.py"
    "::test_a_task_of_ones_own_is_checked_trained_judged_drawn_and_answered",
    "Blend.use": "tests/learn/test_blending.py::test_options_say_whether_it_is_blended",
    "Blend.least_rows": "tests/learn/test_blending.py::test_options_say_whether_it_is_blended",
    "Blend.least_weight": "tests/learn/test_blending.py"
    "::test_always_blends_what_does_not_help_and_a_least_weight_drops_it",
    "Calibrate.use": "tests/learn/test_calibrate.py"
    "::test_a_run_without_calibration_rows_is_as_it_was",
    "Calibrate.coverage": "tests/answer/test_thresholds.py"
    "::test_the_job_says_which_sets_at_which_coverage",
    "Calibrate.sets": "tests/answer/test_thresholds.py"
    "::test_the_job_says_which_sets_at_which_coverage",
    "Calibrate.by": "tests/learn/test_calibrate.py"
    "::test_without_calibration_rows_the_rows_held_back_are_taken",
    **dict.fromkeys(
        ("Decide.costs", "Decide.ask", "Decide.positive"),
        "tests/answer/test_decide.py::test_positive_ask_and_costs_change_what_is_decided",
    ),
    **dict.fromkeys(
        ("Economize.costs", "Economize.alpha", "Economize.sure"),
        "tests/economy/test_economize.py::test_costs_alpha_and_sure_change_what_is_bought",
    ),
    **dict.fromkeys(
        ("Unlike.use", "Unlike.share"),
        "tests/learn/test_unlike.py"
        "::test_never_keeps_nothing_and_a_larger_share_calls_more_rows_unlike",
    ),
    **dict.fromkeys(
        (
            "Harden.training",
            "Harden.budgets",
            "Harden.attacked",
            "Harden.steps",
            "Harden.beta",
            "Harden.corrupted",
            "Harden.lying",
        ),
        "tests/hardening/test_learn_on.py::test_each_option_of_the_objective_changes_the_loss",
    ),
    **dict.fromkeys(
        ("Harden.epochs", "Harden.lr"),
        "tests/hardening/test_learn_on.py"
        "::test_passes_and_rate_are_those_asked_for_or_as_many_as_the_time_allows",
    ),
    **dict.fromkeys(
        ("Harden.rows", "Harden.effort"),
        "tests/hardening/test_learn_on.py::test_rows_and_effort_say_how_much_is_attacked",
    ),
    **dict.fromkeys(
        ("Refresh.learn", "Refresh.judge"),
        "tests/watching/test_labelled.py::test_how_many_labels_are_lacking",
    ),
    "Federate.rounds": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.epochs": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.rule": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.server": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.server_lr": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.proximal": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.sites": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.keep": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.bits": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.personal": "tests/federation/test_rounds.py::test_each_option_changes_the_model",
    "Federate.trim": "tests/federation/test_rounds.py::test_trim_says_how_many_sites_are_left_out",
    "Federate.controls": "tests/federation/test_rounds.py"
    "::test_controls_hold_sites_together_that_see_different_rows",
    "Federate.deadline_s": "tests/federation/test_rounds.py::test_what_comes_late_counts_less",
    "Federate.staleness": "tests/federation/test_rounds.py::test_what_comes_late_counts_less",
    "Federate.upload": "tests/federation/test_rounds.py"
    "::test_an_encoder_waits_while_others_are_worth_more",
    "Federate.secure": "tests/federation/test_rounds.py"
    "::test_a_secure_sum_is_the_mean_and_shows_no_site",
    "Federate.names": "tests/federation/test_sites_agree.py::test_names_may_travel_as_hashes",
    "Federate.fewest": "tests/federation/test_sites_agree.py"
    "::test_nothing_that_few_rows_have_is_told",
    "Federate.columns": "tests/federation/test_sites_agree.py"
    "::test_another_unit_is_named_and_mended",
    "Federate.bundle": "tests/federation/test_federate_run.py"
    "::test_each_site_makes_a_bundle_of_its_own_run",
    "Federate.compare": "tests/federation/test_federate_run.py"
    "::test_each_site_gets_a_run_and_a_comparison",
    "SiteColumn.name": "tests/federation/test_sites_agree.py"
    "::test_another_unit_is_named_and_mended",
    "SiteColumn.times": "tests/federation/test_sites_agree.py"
    "::test_another_unit_is_named_and_mended",
    "SiteColumn.plus": "tests/federation/test_sites_agree.py"
    "::test_another_unit_is_named_and_mended",
    "Private.epsilon": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Private.delta": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Private.clip": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Private.lr": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Private.encoder_lr": "tests/privacy/test_noisy.py::test_encoders_learn_at_a_rate_of_their_own",
    "Private.share": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Private.unit": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Private.accountant": "tests/federation/test_private_rounds.py"
    "::test_each_option_changes_what_is_promised_or_learned",
    "Matched.by": "tests/federation/test_matched_training.py"
    "::test_rows_are_matched_by_the_column_that_is_named",
    "Matched.fewest": "tests/federation/test_matched_training.py"
    "::test_too_few_common_parts_end_it_before_it_begins",
    "Matched.epochs": "tests/federation/test_matched_training.py"
    "::test_every_option_changes_what_is_learned",
    "Matched.clip": "tests/federation/test_matched_training.py"
    "::test_every_option_changes_what_is_learned",
    "Matched.noise": "tests/federation/test_matched_training.py"
    "::test_every_option_changes_what_is_learned",
    "Refresh.every": "tests/watching/test_schedule.py::test_so_long_after_the_last_time",
    "Refresh.or_when": "tests/watching/test_schedule.py::test_drift_makes_it_due_once",
    "Refresh.old": "tests/watching/test_weld_refresh.py"
    "::test_a_refresh_is_taken_where_old_rows_are_outdated_and_refused_where_they_are_kept",
    "Refresh.window": "tests/watching/test_served.py::test_labels_of_long_ago_do_not_count",
    "Refresh.effect": "tests/watching/test_paired.py::test_an_effect_by_chance_is_refused",
    "Refresh.trust": "tests/watching/test_paired.py"
    "::test_a_source_that_is_trusted_decides_alone_beside_old_test_rows",
    "Refresh.harm": "tests/watching/test_paired.py::test_one_group_that_is_harmed_refuses_all",
    "Harden.clean_loss": "tests/hardening/test_learn_on.py"
    "::test_weights_hold_best_under_attack_where_clean_rows_lose_no_more_than_clean_loss",
    **dict.fromkeys(
        (
            f"Generate.{option}"
            for option in [
                "size",
                "vocabulary",
                "max_tokens",
                "min_tokens",
                "search",
                "beams",
                "length_penalty",
                "temperature",
                "top_p",
                "draw",
                "only",
            ]
        ),
        "tests/model/tasks/test_task_generate.py::test_each_option_changes_what_is_written",
    ),
    **dict.fromkeys(
        ("Generate.decoder", "Generate.tune", "Generate.prefix"),
        "tests/model/tasks/test_task_generate.py"
        "::test_decoder_prefix_tune_and_adapter_change_what_learns",
    ),
    **dict.fromkeys(
        ("Text.from_audio", "Text.transcribe"),
        "tests/speech/test_heard.py::test_from_audio_adds_what_transcribe_hears",
    ),
    **dict.fromkeys(
        (
            "Masked.patches",
            "Masked.pieces",
            "Masked.cells",
            "Masked.columns",
            "Masked.summary",
            "Masked.width",
            "Masked.layers",
        ),
        "tests/objectives/test_masked.py::test_each_option_changes_what_is_lost",
    ),
    **dict.fromkeys(
        (
            "Masked.weight",
            "Pretrain.unlabelled",
            "Pretrain.epochs",
            "Pretrain.steps",
            "Pretrain.judged",
        ),
        "tests/learn/test_pretrain_run.py::test_each_option_changes_what_is_learned",
    ),
    **dict.fromkeys(
        (
            "Autoregress.hide",
            "Autoregress.shown",
            "Autoregress.width",
            "Autoregress.layers",
            "Autoregress.components",
        ),
        "tests/objectives/test_autoregress.py::test_each_option_changes_the_loss",
    ),
    "Autoregress.columns": "tests/objectives/test_autoregress.py"
    "::test_columns_are_those_named_or_all_that_learn",
    "Autoregress.weight": "tests/objectives/test_autoregress.py"
    "::test_its_weight_is_what_its_losses_count",
    **dict.fromkeys(
        ("Pretrain.minutes", "Pretrain.patience"),
        "tests/learn/test_pretrain_run.py::test_minutes_and_patience_end_it",
    ),
    **dict.fromkeys(
        (
            "Contrast.loss",
            "Contrast.size",
            "Contrast.layers",
            "Contrast.temperature",
            "Contrast.row",
            "Contrast.anchor",
            "Contrast.mixup",
        ),
        "tests/objectives/test_contrast.py::test_every_option_changes_what_is_lost",
    ),
    "Contrast.learn_temperature": "tests/objectives/test_contrast.py"
    "::test_a_temperature_that_does_not_learn_stays",
    **dict.fromkeys(
        ("Contrast.weight", "Matching.weight"),
        "tests/objectives/test_contrast.py::test_the_weight_of_each_way_counts",
    ),
    "Matching.hard": "tests/objectives/test_matching.py"
    "::test_partners_are_other_rows_and_hard_ones_look_alike",
    **dict.fromkeys(
        ("Contrast.neighbours", "Contrast.levels"),
        "tests/objectives/test_contrast.py::test_neighbours_of_frozen_encoders_are_kept",
    ),
    "Contrast.projections": "tests/model/trunks/test_dual.py"
    "::test_projections_are_new_where_asked_for",
    "Train.shard": "tests/learn/test_sharded.py"
    "::test_blocks_are_shared_out_and_end_where_whole_ones_do",
    "Train.start": "tests/runs/test_start.py"
    "::test_start_in_the_job_changes_what_is_learned_and_is_noted",
    "Train.frozen_first": "tests/learn/test_frozen_first.py"
    "::test_frozen_first_changes_what_is_learned_and_the_run_says_which_won",
    "Train.minutes": "tests/learn/test_clock.py"
    "::test_minutes_end_a_training_and_keep_its_best_weights",
    "Train.folds": "tests/learn/test_folds.py::test_folds_choose_the_passes_and_all_rows_teach",
    "Train.refit": "tests/learn/test_train.py::test_refit_learns_from_the_validation_rows_too",
    "Train.cache_gb": "tests/answer/test_loader.py::test_cache_gb_keeps_decoded_pictures",
    "Train.remember_gb": "tests/learn/test_remembered_features.py"
    "::test_a_second_training_runs_no_trunk_and_learns_the_same_bits",
    "Job.table": "tests/table/test_sources.py::test_every_kind_of_source_holds_the_same_cells",
    "Job.sheet": "tests/table/test_sources.py::test_a_sheet_is_chosen_by_name",
    "Job.allow_leak": "tests/learn/test_train.py::test_a_leak_is_refused_unless_allowed",
    "Job.allow_outside": "tests/answer/test_loader.py::test_allow_outside_lets_media_lie_elsewhere",
    "Series.encoder": "tests/model/encoders/test_encoder_series.py"
    "::test_patchtst_reads_each_channel_as_transformers_does",
    "Job.tune": "tests/tuning/test_space.py::test_own_ranges_change_what_is_tried",
    "Job.unreadable": "tests/learn/test_train.py"
    "::test_an_unreadable_picture_stops_with_its_row_or_counts_as_missing",
}
GROUPS = {
    "Job.split",
    "Job.columns",
    "Job.fuse",
    "Job.tasks",
    "Job.train",
    "Job.pretrain",
    "Job.refresh",
    "Job.federate",
    "Federate.matched",
    "Federate.private",
    "Pretrain.masked",
    "Pretrain.contrast",
    "Pretrain.matching",
    "Pretrain.autoregress",
    "Job.blend",
    "Job.calibrate",
    "Job.economize",
    "Job.unlike",
    "Trunk.adapter",
    "Fusion.adapter",
    "Job.harden",
    "Classify.decide",
    "Regress.order",
    "Generate.adapter",
}  # hold options


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small table with a few columns more, a tiny BERT and a tiny wav2vec2."""
    import pandas as pd
    from transformers import BertConfig, BertModel, Wav2Vec2Config, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("options")
    path = write_table(folder)
    frame = pd.read_parquet(path)
    frame["part"] = ["test" if i % 5 == 0 else "train" for i in range(len(frame))]
    frame["row"] = np.arange(len(frame)) % 17
    days = pd.to_timedelta(np.arange(len(frame)) % 7, unit="D")
    frame["ordered"] = pd.to_datetime(frame["taken_at"]) - days
    frame["promised"] = pd.to_datetime(frame["taken_at"]) + 2 * days
    frame["words2"] = frame["words"].map(lambda w: list(w)[::-1])
    frame["photo2"] = frame["photo"].sample(frac=1.0, random_state=0).to_list()
    frame["photo"] = frame["photo"].ffill().bfill()
    frame["photo2"] = frame["photo2"].ffill().bfill()
    frame.to_parquet(path, index=False)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
        "crack",
        "clean",
        "part",
        "weld",
    ]
    torch.manual_seed(0)
    bert = BertModel(
        BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
        )
    )
    bert.save_pretrained(folder / "bert")
    (folder / "bert" / "vocab.txt").write_text("\n".join(words))
    wav2vec2 = Wav2Vec2Model(
        Wav2Vec2Config(
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=24,
            conv_dim=[8] * 7,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
        )
    )
    wav2vec2.save_pretrained(folder / "wav2vec2")
    return folder


def base(name: str, folder: Path) -> dict[str, Any]:  # noqa: C901 a list of kinds
    """A small job that shows the options of one kind."""
    fault = {"type": "classify", "target": "fault_code"}
    columns: dict[str, Any] = {"load": {"type": "number", "bins": 4}}
    series: dict[str, Any] = {
        "type": "series",
        "length": 32,
        "rate_hz": 100,
        "front": ["statistics"],
    }
    text = {"type": "text", "max_tokens": 16, "vocabulary": 128}
    sound = {"type": "audio", "rate_hz": 4000, "seconds": 0.25, "augment": "none"}
    job: dict[str, Any] = {
        "table": str(folder / "parts.parquet"),
        "split": {"by": "machine", "test": 0.25, "validation": 0.2},
        "columns": columns,
        "fuse": {"type": "concat", "width": 16, "layers": 1},
        "tasks": {"fault": fault},
        "train": {"epochs": 2, "batch": 16, "precision": "float32", "patience": 0},
    }
    match name.split():
        case ["plain"]:
            columns |= {"site": {"type": "category"}, "taken_at": {"type": "time"}}
            job["tasks"]["life"] = {"type": "regress", "target": "hours_left"}
        case ["counts"]:
            task = {"type": "regress", "target": "row", "distribution": "negative_binomial"}
            job["tasks"]["life"] = task
        case ["short"]:
            del job["train"]["epochs"]
            job["train"]["patience"] = 0
        case ["worse"]:
            job["train"] |= {"epochs": 6, "lr": 1.0}
        case ["text"]:
            columns["note"] = text
        case ["bert", *tune]:
            tuned = {"encoder": "hf:BERT", "tune": tune[0] if tune else "full"}
            columns["note"] = {"type": "text", "max_tokens": 16} | tuned
        case ["tag"]:
            columns |= {"words": text | {"type": "tokens"}, "words2": text | {"type": "tokens"}}
            fault |= {"type": "tag", "target": "tags", "on": "words"}
        case ["photo"]:
            columns["photo"] = {"type": "image", "pixels": 16, "augment": "none"}
        case ["turned"]:
            columns["photo"] = {"type": "image", "pixels": 16, "augment": "rotate"}
        case ["boxes"]:
            columns |= {
                n: {"type": "image", "pixels": 24, "augment": "none"} for n in ("photo", "photo2")
            }
            fault |= {"type": "locate", "target": "boxes", "on": "photo"}
        case ["sets"]:
            columns["photo"] = {"type": "image", "pixels": 24, "augment": "none"}
            fault |= {"type": "locate", "target": "boxes", "on": "photo", "head": "detr"}
        case ["sound"]:
            columns["sound"] = sound
        case ["wav2vec2", *tune]:
            tuned = {"encoder": "hf:WAV2VEC2", "tune": tune[0] if tune else "full"}
            columns["sound"] = sound | {"rate_hz": 16_000} | tuned
        case ["series"]:
            columns["vibration"] = series
        case ["learned"]:
            columns["vibration"] = series | {"front": ["learned"]}
        case ["order"]:
            columns["vibration"] = series | {"front": ["order"], "rpm": 600}
        case ["history"]:
            columns["vibration"] = series | {
                "from": ["load"],
                "history": {"by": ["machine"], "order": "taken_at", "rows": 4},
            }
        case _:
            raise AssertionError(name)
    return job


def put(job: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The job with another value; None takes the option out."""
    job = copy.deepcopy(job)
    *way, last = path.split(".")
    spot = job
    for key in way:
        spot = spot[key]
    if value is None:
        spot.pop(last, None)
    else:
        spot[last] = value
    return job


def numbers(job: dict[str, Any], folder: Path, out: Path) -> str:
    """Everything a short training prints, as one text."""
    text = json.dumps(job)
    for name in ("bert", "wav2vec2"):
        text = text.replace(f"hf:{name.upper()}", f"hf:{folder / name}")
    job = json.loads(text)
    loaded = load_job(job)
    table = open_table(loaded.table)
    parts = split_job(table, loaded)
    rows = open_loader(loaded, table, parts)
    torch.manual_seed(loaded.seed)
    model = Model(loaded, rows.readers, rows.targets, pretrained=True)
    frozen_features(model, rows, np.concatenate(parts), quiet=True)
    notes = train_model(model, rows, parts, loaded, out, quiet=True)
    answers = answer_rows(model, rows, parts.test[:6]).seen[EVERYTHING]
    said = {
        t: {
            k: [np.asarray(x).tolist() if not isinstance(x, list) else x for x in v]
            for k, v in a.items()
        }
        for t, a in answers.items()
    }
    return json.dumps([[len(p) for p in parts], notes.epoch, notes.curves, said], default=float)


# What a walk goes through: sections of the job that stand in files of their own come after config.
KINDS = {**vars(config), **vars(federated), **vars(matched), **vars(private)}


def all_options() -> Iterator[str]:
    """`Class.field` of every option, named after the class that declares it or narrows it."""
    for kind in KINDS.values():
        if not isinstance(kind, type) or not issubclass(kind, BaseModel) or kind is config.Options:
            continue
        for field in kind.__annotations__:
            if field != "type":
                yield f"{kind.__name__}.{field}"


def covered_by(option: str) -> bool:
    """Whether a case or another test names the option, for its class or for one derived from it."""
    if option in CASES or option in ELSEWHERE or option in GROUPS:
        return True
    name, field = option.split(".")
    derived = [
        k.__name__ for k in KINDS.values() if isinstance(k, type) and issubclass(k, KINDS[name])
    ]
    return any(f"{d}.{field}" in CASES for d in derived)


def test_the_walk_names_every_option() -> None:
    missing = [o for o in all_options() if not covered_by(o)]
    assert not missing, f"no test shows that these options change a number: {missing}"
    known = set(all_options())
    inherited = {
        f"{k.__name__}.{f}"
        for k in KINDS.values()
        if isinstance(k, type) and issubclass(k, BaseModel)
        for f in k.model_fields
    }
    unknown = [o for o in {**CASES, **ELSEWHERE} if o not in known | inherited]
    assert not unknown, f"these options are gone: {unknown}"


def test_options_checked_elsewhere_are_named_there() -> None:
    root = Path(__file__).parent.parent
    for option, place in ELSEWHERE.items():
        path, _, name = place.partition("::")
        lines = (root / path).read_text().splitlines()
        found = [f for f in ast.parse("\n".join(lines)).body if getattr(f, "name", "") == name]
        assert len(found) == 1, place
        test = found[0]
        assert isinstance(test, ast.FunctionDef)
        first = min([test.lineno, *(d.lineno for d in test.decorator_list)])
        body, field = "\n".join(lines[first - 1 : test.end_lineno]), option.split(".")[1]
        assert re.search(rf"(?<![a-z]){field}s?(?![a-z])", body), (option, place)


LISTED = [(option, i) for option, cases in CASES.items() for i in range(len(cases))]


@pytest.mark.parametrize(("option", "i"), LISTED, ids=[f"{o}-{i}" for o, i in LISTED])
def test_the_option_changes_a_number(
    option: str,
    i: int,
    folder: Path,
    tmp_path: Path,
    remembered: Callable[[str, dict[str, Any]], str],
) -> None:
    name, path, one, other = CASES[option][i]
    job = base(name, folder)
    assert remembered("a", put(job, path, one)) != remembered("b", put(job, path, other))


@pytest.fixture(scope="module")
def remembered(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, dict[str, Any]], str]:
    """Numbers of a job, computed once however many cases ask for the same one."""
    known: dict[str, str] = {}

    def numbers_of(_: str, job: dict[str, Any]) -> str:
        key = json.dumps(job, sort_keys=True)
        if key not in known:
            known[key] = numbers(job, folder, tmp_path_factory.mktemp("run"))
        return known[key]

    return numbers_of


@pytest.mark.parametrize("kind", ["text", "photo", "sound", "boxes", "series", "wav2vec2"])
def test_the_same_job_gives_the_same_numbers(kind: str, folder: Path, tmp_path: Path) -> None:
    job = base(kind, folder)
    assert numbers(job, folder, tmp_path / "a") == numbers(job, folder, tmp_path / "b")
