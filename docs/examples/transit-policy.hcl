# What bauta's token may do with its own keys, and nothing else. The names begin with kms.prefix.
path "transit/keys" {
  capabilities = ["list", "read"]
}
path "transit/keys/bauta-*" {
  capabilities = ["create", "update", "read", "delete"]
}
path "transit/encrypt/bauta-*" {
  capabilities = ["update"]
}
path "transit/decrypt/bauta-*" {
  capabilities = ["update"]
}
