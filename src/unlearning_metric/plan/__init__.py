"""From a configuration to what each rule needs: methods, shards, settings, origins."""
