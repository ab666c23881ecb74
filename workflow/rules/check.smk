"""The first original model, a method file -> check_<method>.json: does it fit the contract, in seconds."""


rule check:
    input:
        unpack(needs("check")),
    output:
        f"{RESULTS}/check_{{method}}.json",
    log:
        f"{RESULTS}/logs/check_{{method}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPUS,
        device=DEVICE,
        mem_mb=4000,
        runtime=30,
    params:
        key=key_of("check"),
        step=told("check"),
    script:
        "../scripts/check.py"
