# What boundary.yaml beside this file expects; the account and the roles are AWS's documentation examples.
account_id         = "111122223333"
image              = "ami-0123456789abcdef0"
key_administrators = ["arn:aws:iam::111122223333:role/key-administrator"]
log_administrators = ["arn:aws:iam::111122223333:role/log-archive"]
operators          = ["arn:aws:iam::111122223333:role/platform-operator"]
sequencer          = { range = "10.20.8.0/26", url = "postgresql://cadastre@sequencer.payments.internal/cadastre?sslmode=verify-full" }
