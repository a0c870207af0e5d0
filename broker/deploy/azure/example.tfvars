# What boundary.yaml beside this file expects; ids are made up.
subscription_id    = "3f2a1b0c-0000-4000-8000-000000000001"
tenant_id          = "3f2a1b0c-0000-4000-8000-0000000000ff"
image              = "/subscriptions/3f2a1b0c-0000-4000-8000-000000000001/resourceGroups/images/providers/Microsoft.Compute/galleries/platform/images/kafka-broker/versions/2026.11.1"
emergency_ssh_key  = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCQjuOBSqnAz/av3Dv5VpnjKSFGj/xxsdRHsGlPlI/KT65SDx22Q0KqyzqyfzqzQoaWLQw42K8Ma5b6Z8kEui6LHv/sKuJN2g3bjcBTFumvl01xN6YmRpQDKqeujTmxtI6gLvcmQNUTO9YCrC1FM7yVdKz0bmHXeZ43KVCiTvgnPFZ3i2jDDPCbQOaB0tNyksjhTmZz2c0eXHHZSq6F44sZ9pV0fUlNZWsICvbZDbYmd2ucX8AR5vl7tKFFd79kAEOKTROxXHOs0ELHrNULUHZqqG6s5YqrOS9TMSATcPZ4lYLgrSJKDEEohz1ykY+yvAi1XUPB+zEW0yzn5EpSw9pWn2IRyfoWyhuYAmKuEY8eTJYNkH9pAe+L6Fmjpglkc3RD2G3gClxd2riwYbaiv/AUkW7hxF9sLLLAN/xkWa2CZ7PuCOQvg78UrR/ZwnKgd/3booglUKvskNbL8xETlfq34lpzzAQkWJ3y3muhHw9qaGDPpVG1GJqYB22lP+zWXMM= sealed"
key_administrators = ["a0000000-0000-4000-8000-0000000000a1"]
log_administrators = ["a0000000-0000-4000-8000-0000000000a3"]
operators          = ["a0000000-0000-4000-8000-0000000000a2"]
alarm_address      = "kafka-platform-rota@example.com"
sequencer          = { range = "10.40.8.0/26", url = "postgresql://cadastre@sequencer.payments.internal/cadastre?sslmode=verify-full" }
