-- Public keys of publishers that sign what they send (Ed25519, base64). A source with a key that is
-- not removed is believed only what is signed with one of its keys.
CREATE TABLE IF NOT EXISTS population.source_key_rows
(
    id         String,
    name       String,
    public_key String,
    added_at   DateTime64(3, 'Asia/Shanghai'),
    removed    Bool DEFAULT false,
    version    UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id;
