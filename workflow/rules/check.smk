"""The first original model, a method file -> check_<method>.json: does it fit the contract, in seconds."""


rule check:
    input:
        unpack(check_inputs),
    output:
        f"{RESULTS}/check_{{method}}.json",
    log:
        f"{RESULTS}/logs/check_{{method}}.log",
    conda:
        "../../envs/unlearning.yaml"
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=30,
    params:
        key=lambda wildcards: PLAN.check_origin(wildcards.method).key,
        dataset_key=lambda wildcards, output: PLAN.data_origin.key,
        split_key=lambda wildcards, output: PLAN.split_origin.key,
        original_key=lambda wildcards, output: PLAN.training_origin("full").key,
        oracles_key=lambda wildcards, output: oracles_key(wildcards.method),
        retrained=lambda wildcards, output: retrained_keys(),
        settings=lambda wildcards, output: PLAN.unlearning_settings(wildcards.method),
        max_seconds=lambda wildcards, output: CONFIG.max_seconds_per_copy,
        copies=lambda wildcards, output: CONFIG.copies,
        limit=lambda wildcards, output: CONFIG.efficiency.limit,
        provenance=lambda wildcards, output: PLAN.check_origin(
            wildcards.method
        ).header(),
    script:
        "../scripts/check.py"
