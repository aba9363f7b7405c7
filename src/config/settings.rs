//! Every setting there is, by name: the one list that reading, printing, help and "did you mean"
//! go by.
//!
//! A key names its TOML place (`raft.heartbeat_ms` is `heartbeat_ms` in table `[raft]`) and, with
//! dots as underscores, its variable (`QUORATE_RAFT_HEARTBEAT_MS`).

/// How the value of a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// An array of strings, or one string with commas.
    List,
    /// A string nobody may see again; also readable from a file, as `<key>_file`.
    Secret,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Dotted TOML key.
    pub key: &'static str,
    /// How its value is written.
    pub shape: Shape,
    /// The value where nobody says anything, as one would write it in a variable.
    pub default: Option<&'static str>,
    /// The command-line flag that sets it, if it is a common one.
    pub flag: Option<&'static str>,
    /// What it means, in one sentence, with its unit.
    pub help: &'static str,
}

impl Setting {
    /// The environment variable of this setting.
    pub fn variable(&self) -> String {
        let name: String = self.key.to_ascii_uppercase().replace('.', "_");
        format!("{PREFIX}{name}")
    }
}

/// What every environment variable of Quorate starts with.
pub const PREFIX: &str = "QUORATE_";

/// What is appended to a secret's key or variable to name a file that holds it.
pub const FILE_SUFFIX: &str = "_file";

/// The setting with this dotted key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

const fn setting(
    key: &'static str,
    shape: Shape,
    default: Option<&'static str>,
    flag: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { key, shape, default, flag, help }
}

use Shape::{List, Number, Secret, Switch, Text};

/// Top-level keys first, then table by table, so that printing them in order is valid TOML.
pub const SETTINGS: &[Setting] = &[
    setting("node_id", Number, Some("1"), Some("--node-id"), "number of this node in the cluster, from 1"),
    setting(
        "data_dir",
        Text,
        Some("./quorate-data"),
        Some("--data-dir"),
        "directory of the replicated state; one running node per directory",
    ),
    setting("http", Text, Some("127.0.0.1:8080"), Some("--http"), "IP:PORT that clients talk to"),
    setting("management", Text, None, None, "IP:PORT for /metrics; unset: /metrics is answered on the `http` port"),
    setting("peer", Text, Some("127.0.0.1:8090"), Some("--peer"), "IP:PORT that the other nodes talk to"),
    setting(
        "cluster",
        List,
        None,
        Some("--cluster"),
        "first members, ID=HOST:PORT each, the same list on every node; ignored once the cluster exists",
    ),
    setting(
        "join",
        Switch,
        Some("false"),
        None,
        "start empty and wait for `quorate cluster add` instead of founding a cluster",
    ),
    setting(
        "dev",
        Switch,
        Some("false"),
        Some("--dev"),
        "allow plaintext between nodes, on loopback addresses only; relaxes nothing else",
    ),
    setting("context_path", Text, Some("/am"), None, "path under which everything is served"),
    setting(
        "base_url",
        Text,
        None,
        None,
        "scheme://host[:port] in issuers and links, taken when the cluster is founded; unset: the `http` address",
    ),
    setting(
        "base_url_from_request",
        Switch,
        Some("false"),
        None,
        "let realms take issuers and links from the Host header or, as their service `baseurl` says, from what a trusted proxy says, as far as it is a name of ours: base_url, valid_hosts, aliases of realms",
    ),
    setting(
        "trusted_proxies",
        List,
        None,
        None,
        "addresses or networks (10.0.0.0/8) whose X-Forwarded-* headers are believed",
    ),
    setting("cookie_name", Text, Some("iPlanetDirectoryPro"), None, "name of the session cookie and header"),
    setting(
        "cookie_secure",
        Text,
        Some("auto"),
        None,
        "Secure attribute of cookies: `true`, `false`, or `auto` (when the request came over https)",
    ),
    setting(
        "cookie_same_site",
        Text,
        Some("unset"),
        None,
        "SameSite attribute of session cookies: `unset`, `none`, `lax` or `strict`",
    ),
    setting(
        "valid_hosts",
        List,
        None,
        None,
        "host names that requests may be addressed to, beside that of the base URL and DNS aliases of realms; unset: any",
    ),
    setting(
        "trust_transaction_ids",
        Switch,
        Some("false"),
        None,
        "take the X-ForgeRock-TransactionId of callers for records, instead of making one",
    ),
    setting(
        "admin_password",
        Secret,
        None,
        None,
        "first password of amAdmin, used when the cluster is founded; unset: generated and printed once",
    ),
    setting(
        "master_key",
        Secret,
        None,
        None,
        "32 bytes in base64, the same on every node, that encrypt private keys in the replicated state; \
         unset on a node alone: kept in the file <data_dir>.key",
    ),
    setting("http_workers", Number, Some("0"), None, "threads that answer HTTP; 0: one per core"),
    setting(
        "shutdown_seconds",
        Number,
        Some("5"),
        None,
        "s after SIGTERM for handing over leadership and finishing requests",
    ),
    setting("peer_tls.ca", Text, None, None, "PEM file: the CA that signed every node's certificate"),
    setting("peer_tls.cert", Text, None, None, "PEM file: this node's certificate (quorate certs node)"),
    setting("peer_tls.key", Text, None, None, "PEM file: the key of that certificate"),
    setting("tls.cert", Text, None, None, "PEM file: certificate chain for the `http` port; unset: plain HTTP"),
    setting("tls.key", Text, None, None, "PEM file: the key of that certificate"),
    setting("tls.client_ca", Text, None, None, "PEM file: CA whose client certificates are asked for and checked"),
    setting(
        "log.filter",
        Text,
        Some("info,openraft=warn,actix_server=warn,actix_http=off"),
        None,
        "what to log, e.g. `info,quorate::oauth2=debug`",
    ),
    setting("log.format", Text, Some("text"), None, "`text` or `json`, to standard error"),
    setting(
        "decisions.record",
        Text,
        Some("all"),
        None,
        "which policy decisions are recorded in the log: `all`, `none` or a share such as `2.5%`",
    ),
    setting(
        "decisions.record_sets",
        List,
        None,
        None,
        "exceptions by policy set, REALM:SET=SHARE each, e.g. `/alpha:oauth2Scopes=all`",
    ),
    setting(
        "decisions.when_full",
        Text,
        Some("drop"),
        None,
        "when too many events wait: `drop` (counted in /metrics) or `refuse` the decision with 503",
    ),
    setting(
        "decisions.strict",
        Switch,
        Some("false"),
        None,
        "answer 500 instead of deciding without a policy that cannot be evaluated",
    ),
    setting(
        "decisions.dry_runs_per_minute",
        Number,
        Some("120"),
        None,
        "`explain` and `whatif` per caller and node; more are answered 429",
    ),
    setting("decisions.queue", Number, Some("8192"), None, "events that may wait to be written"),
    setting(
        "compat.pre_encoded_passwords",
        Switch,
        Some("false"),
        None,
        "whether administrators may set a user's password as an argon2id verifier (a PHC string), to bring users along",
    ),
    setting("audit.enabled", Switch, Some("true"), None, "record what happens in AM's audit topics"),
    setting(
        "audit.topics",
        List,
        Some("activity,authentication,config"),
        None,
        "which topics: `access` (every request), `activity` (users, groups, sessions), `authentication`, `config`",
    ),
    setting(
        "audit.access_share",
        Text,
        Some("all"),
        None,
        "how many requests, if `access` is among the topics: `all`, `none` or a share such as `2.5%`",
    ),
    setting(
        "audit.directory",
        Text,
        None,
        None,
        "directory of the files <topic>.audit.json, one JSON object a line; unset: <data_dir>.audit",
    ),
    setting("audit.stdout", Switch, Some("false"), None, "write the same lines to standard output as well"),
    setting(
        "audit.max_file_bytes",
        Number,
        Some("104857600"),
        None,
        "bytes from which a file is put aside under the number 1, those with numbers moving up",
    ),
    setting("audit.max_files", Number, Some("10"), None, "files of a topic that are kept beside the newest"),
    setting(
        "audit.fsync",
        Switch,
        Some("false"),
        None,
        "flush to the disk after each batch of events: then a crash of the machine loses none that was written",
    ),
    setting(
        "audit.when_full",
        Text,
        Some("drop"),
        None,
        "when too many events wait: `drop` (counted in /metrics), or `refuse` what cannot be recorded with 503",
    ),
    setting("audit.queue", Number, Some("8192"), None, "events that may wait to be written"),
    setting(
        "audit.whitelist",
        List,
        None,
        None,
        "fields that are written beyond the defaults, e.g. `/access/http/request/headers/x-trace-id`",
    ),
    setting(
        "audit.blacklist",
        List,
        None,
        None,
        "fields that are not written, e.g. `/access/http/request/headers/user-agent`",
    ),
    setting("raft.heartbeat_ms", Number, Some("100"), None, "ms between two heartbeats of the leader"),
    setting(
        "raft.election_timeout_min_ms",
        Number,
        Some("300"),
        None,
        "ms of silence, beyond the maximum, after which a follower stands for election, at least",
    ),
    setting(
        "raft.election_timeout_max_ms",
        Number,
        Some("600"),
        None,
        "ms that a leader is trusted after it was last heard, and the most that is waited beyond",
    ),
    setting(
        "limits.max_inflight_proposals",
        Number,
        Some("8192"),
        None,
        "changes that may wait for the cluster at once; more are answered 503",
    ),
    setting("limits.form_bytes", Number, Some("65536"), None, "largest form body, bytes"),
    setting("limits.json_bytes", Number, Some("1048576"), None, "largest JSON body, bytes"),
    setting("limits.request_head_ms", Number, Some("5000"), None, "ms for a client to send its request head"),
    setting(
        "attempts.per_account_and_address",
        Number,
        Some("5"),
        None,
        "wrong passwords or secrets for one account from one address that begin a pause; 0: any number",
    ),
    setting(
        "attempts.per_address",
        Number,
        Some("100"),
        None,
        "wrong passwords or secrets from one address, for whatever accounts, that begin a pause; 0: any number",
    ),
    setting(
        "attempts.per_account",
        Number,
        Some("100"),
        None,
        "wrong passwords for one user, from wherever, that begin a pause; amAdmin, agents and clients have none; 0: any number",
    ),
    setting("attempts.window_seconds", Number, Some("300"), None, "s over which the first two are added up"),
    setting("attempts.account_window_seconds", Number, Some("3600"), None, "s over which the third is added up"),
    setting("attempts.pause_seconds", Number, Some("300"), None, "s for which nothing is let through then"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_and_variables_are_unique_and_tables_come_last() {
        let mut names = BTreeSet::new();
        for setting in SETTINGS {
            assert!(names.insert(setting.variable()), "{} twice", setting.key);
            if setting.shape == Shape::Secret {
                assert!(names.insert(format!("{}_FILE", setting.variable())), "{}_FILE twice", setting.key);
            }
        }
        let first_table = SETTINGS.iter().position(|setting| setting.key.contains('.')).unwrap();
        assert!(SETTINGS[first_table..].iter().all(|setting| setting.key.contains('.')));
        let mut tables: Vec<&str> =
            SETTINGS[first_table..].iter().map(|setting| setting.key.split('.').next().unwrap()).collect();
        tables.dedup();
        let distinct: BTreeSet<_> = tables.iter().collect();
        assert_eq!(distinct.len(), tables.len(), "a table is torn apart");
    }
}
