use super::*;

fn env(pairs: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.toml");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let (_folder, path) = file("listen = '127.0.0.1:1'\n[engine]\nqueue = 1\nsnapshot_every = 1\n");
    let variables = env(&[("FLEXLEDGER_LISTEN", "127.0.0.1:2"), ("FLEXLEDGER_ENGINE__QUEUE", "2"), ("OTHER", "x")]);
    let config = load(Some(&path), variables, vec![("listen", "127.0.0.1:3".to_owned())]).expect("fine");
    assert_eq!((config.listen.port(), config.queue, config.snapshot_every), (3, 2, 1));
    assert_eq!(config.token_ttl, Duration::from_secs(3600));
}

#[test]
fn the_file_may_be_named_in_the_environment() {
    let (_folder, path) = file("[limits]\nenabled = false\n");
    let config = load(None, env(&[("FLEXLEDGER_CONFIG", &path.display().to_string())]), vec![]).expect("fine");
    assert!(!config.rate_limits);
}

#[test]
fn an_unknown_key_is_named_wherever_it_stands() {
    for (text, name) in
        [("[engine]\nqueues = 1\n", "engine.queues"), ("[motor]\nqueue = 1\n", "motor"), ("port = 80\n", "port")]
    {
        let (_folder, path) = file(text);
        let error = load(Some(&path), env(&[]), vec![]).expect_err("unknown").to_string();
        assert!(error.contains(name) && error.contains("test.toml"), "{error}");
    }
    let error = load(None, env(&[("FLEXLEDGER_LIMITS__ENABLE", "false")]), vec![]).expect_err("unknown").to_string();
    assert!(error.contains("FLEXLEDGER_LIMITS__ENABLE") && error.contains("did you mean limits.enabled?"), "{error}");
}

#[test]
fn a_value_that_does_not_fit_is_named_with_what_would() {
    for (name, value, hint) in [
        ("FLEXLEDGER_LISTEN", "nowhere", "listen"),
        ("FLEXLEDGER_TRANSACTIONS__EXPIRY_SWEEP", "5", "5m"),
        ("FLEXLEDGER_LIMITS__ENABLED", "no", "true or false"),
        ("FLEXLEDGER_ENGINE__QUEUE", "0", "from 1"),
        ("FLEXLEDGER_SETTLEMENT__TIME", "25:00", "HH:MM"),
        ("FLEXLEDGER_AUTH__ADMIN_APPLICATIONS", "me", "application id"),
        ("FLEXLEDGER_SERVER__TRUSTED_PROXIES", "10.0.0.0/33", "10.0.0.0/8"),
        ("FLEXLEDGER_SERVER__PUBLIC_URL", "pay.example.com", "https://"),
        ("FLEXLEDGER_EVENTS", "mysql://x", "mysql:"),
        ("FLEXLEDGER_NAMES__KEY_PATH", "a/b", "letters"),
    ] {
        let error = load(None, env(&[(name, value)]), vec![]).expect_err(name).to_string();
        assert!(error.contains(hint) && error.contains(name), "{error}");
    }
}

#[test]
fn every_key_of_the_contract_is_known() {
    let (_folder, path) = file(
        "listen = '0.0.0.0:8080'\ndata = 'd'\nevents = 'sqlite:e.db'\nviews = 'sqlite:v.db'\n\
         [server]\npublic_url = 'https://pay.example.com/'\ntrusted_proxies = ['10.0.0.0/8', '::1']\nallow_insecure = false\n\
         [limits]\nenabled = false\n[transactions]\nacceptance_window = '1h'\nexpiry_sweep = '250ms'\n\
         [idempotency]\nwindow = '48h'\nstrict = true\n[auth]\ntoken_ttl = '5m'\n\
         admin_applications = ['0b1f1de2-7a54-4c0f-9a6c-111111111111']\n[encryption]\nrequire_encrypted_requests = true\n\
         [consent]\nttl = '1h'\n[webhooks]\ntimeout = '1s'\nretry_base = '10ms'\n[settlement]\ntime = 'off'\n\
         [fleexpay]\nquote_ttl = '5s'\nconversion_settlement = 'async'\n\
         [flexiqash]\nwebhook_timeout = '1s'\nwebhook_retry_base = '1s'\n[engine]\nqueue = 10\nsnapshot_every = 20\nviews_kept = 0\n[reconcile]\nevery = '1h'\n",
    );
    let config = load(Some(&path), env(&[]), vec![]).expect("all known");
    assert_eq!(config.reconcile_every, Some(Duration::from_secs(3600)));
    assert_eq!((config.snapshot_every, config.views_kept), (20, 0));
    assert!(load(None, env(&[("FLEXLEDGER_ENGINE__VIEWS_KEPT", "65")]), vec![]).is_err());
    assert!(load(None, env(&[("FLEXLEDGER_RECONCILE__EVERY", "10ms")]), vec![]).is_err());
    assert_eq!(config.server.public_url.as_deref(), Some("https://pay.example.com"));
    assert!(!config.allow_insecure() && config.settlement_time.is_none() && config.fleexpay.conversion_async);
    assert_eq!(config.events_place(), Place::Sqlite("e.db".into()));
    assert_eq!(config.admin_applications.len(), 1);
}

#[test]
fn insecure_targets_are_fine_on_a_loopback_listener_only() {
    let config = |listen: &str| load(None, env(&[]), vec![("listen", listen.to_owned())]).expect("fine");
    assert!(config("127.0.0.1:0").allow_insecure() && config("[::1]:0").allow_insecure());
    assert!(!config("0.0.0.0:0").allow_insecure());
}

/// What a file says of the environment, by name.
fn variables_in(text: &str) -> Vec<String> {
    let begins = text.match_indices("FLEXLEDGER_").map(|(at, _)| text.split_at(at).1);
    let name = |from: &str| from.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect::<String>();
    begins.map(name).collect()
}

#[test]
fn every_variable_that_the_deployment_files_name_is_a_setting() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("deploy") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        for variable in variables_in(&text) {
            let key = variable.trim_start_matches("FLEXLEDGER_").to_lowercase().replace("__", ".");
            assert!(keys::is_key(&key), "{}: {variable} is no setting", path.display());
            found.push(variable);
        }
    }
    for name in ["FLEXLEDGER_EVENTS", "FLEXLEDGER_DATA", "FLEXLEDGER_LISTEN", "FLEXLEDGER_SERVER__ADVERTISE"] {
        assert!(found.iter().any(|variable| variable == name), "{name} is not named any more");
    }
}
