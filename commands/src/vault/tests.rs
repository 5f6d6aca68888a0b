use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use flexledger_domain::identity::{IdentityEvent, SubjectPatched};
use flexledger_domain::ids::Position;
use flexledger_eventstore::port::{AppendError, Batch, Head, Record, StoreError};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// Holds subject keys and no events.
#[derive(Default)]
struct Keys(Mutex<Vec<SubjectKey>>);

impl Keys {
    fn put(&self, keys: Vec<SubjectKey>) {
        self.0.lock().unwrap().extend(keys);
    }
}

#[async_trait]
impl EventStore for Keys {
    async fn head(&self) -> Result<Head, StoreError> {
        Ok(Head::default())
    }

    async fn append(&self, _: Position, batch: Batch) -> Result<(), AppendError> {
        self.put(batch.keys);
        Ok(())
    }

    async fn read(&self, _: Position, _: usize) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<Option<SubjectKey>, StoreError> {
        Ok(self.0.lock().unwrap().iter().find(|key| key.subject == subject).cloned())
    }

    async fn subject_keys(&self) -> Result<Vec<SubjectKey>, StoreError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn destroy_subject_key(&self, subject: SubjectId) -> Result<bool, StoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = keys.len();
        keys.retain(|key| key.subject != subject);
        Ok(keys.len() < before)
    }

    fn durability(&self) -> String {
        "none".to_owned()
    }
}

fn keys(master: u8) -> PlatformKeys {
    PlatformKeys::from_master(&[master; 32]).unwrap()
}

fn subject(number: u128) -> SubjectId {
    SubjectId::from_uuid(Uuid::from_u128(number))
}

fn patched(number: u128, name: &str) -> Event {
    let text = Some(Personal::clear(subject(number), name));
    let body = SubjectPatched { display_name: text, email: None, image_url: None, metadata: None };
    IdentityEvent::SubjectPatched(subject(number), body).into()
}

fn name_of(event: &mut Event) -> Personal {
    event.personal().remove(0).clone()
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

async fn vault(store: &Arc<Keys>) -> Vault {
    Vault::new(keys(1), store.clone()).await.unwrap()
}

#[tokio::test]
async fn a_sealed_text_opens_again_also_after_a_restart() {
    let store = Arc::new(Keys::default());
    let first = vault(&store).await;
    let mut event = patched(7, "Alice Adeyemi");
    let fresh = first.seal(&mut event).unwrap();
    assert_eq!(fresh.len(), 1);
    store.put(fresh);
    let mut bytes = Vec::new();
    event.write_payload(&mut bytes).unwrap();
    assert!(!String::from_utf8(bytes).unwrap().contains("Alice"));
    assert!(first.seal(&mut patched(7, "Alice A.")).unwrap().is_empty());

    let second = vault(&store).await;
    assert_eq!(second.open(&name_of(&mut event)).as_deref(), Some("Alice Adeyemi"));
}

#[tokio::test]
async fn an_erased_subject_is_never_readable_again() {
    let store = Arc::new(Keys::default());
    let vault = vault(&store).await;
    let mut before = patched(7, "Alice");
    store.put(vault.seal(&mut before).unwrap());
    assert!(vault.erase(subject(7)).await.unwrap());
    assert!(!vault.erase(subject(7)).await.unwrap());
    let clear = Personal::clear(subject(7), "Alice");
    let mut after = patched(7, "Alice again");
    assert!(vault.seal(&mut after).unwrap().is_empty());
    after.write_payload(&mut Vec::new()).unwrap();
    for text in [name_of(&mut before), name_of(&mut after), clear] {
        assert_eq!(vault.open(&text), None);
    }
    assert!(store.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_left_in_the_store_stays_dead_once_the_log_tells_of_the_erasure() {
    let store = Arc::new(Keys::default());
    let first = vault(&store).await;
    let mut event = patched(7, "Alice");
    store.put(first.seal(&mut event).unwrap());
    let second = vault(&store).await;
    second.mark_erased(subject(7));
    second.reload().await.unwrap();
    assert!(second.fetch(subject(7)).await.unwrap());
    assert_eq!(second.open(&name_of(&mut event)), None);
}

#[tokio::test]
async fn a_key_of_a_failed_append_is_forgotten() {
    let store = Arc::new(Keys::default());
    let vault = vault(&store).await;
    let lost = vault.seal(&mut patched(7, "Alice")).unwrap();
    vault.forget_new(&lost);
    assert_eq!(vault.seal(&mut patched(7, "Alice")).unwrap().len(), 1);
}

#[tokio::test]
async fn another_platform_key_is_refused() {
    let store = Arc::new(Keys::default());
    store.put(vault(&store).await.seal(&mut patched(7, "Alice")).unwrap());
    let other = Vault::new(keys(2), store.clone()).await;
    assert!(matches!(other, Err(VaultError::WrongPlatformKey)));
}

#[tokio::test]
async fn a_subject_key_fits_its_subject_only() {
    let store = Arc::new(Keys::default());
    let mut stolen = vault(&store).await.seal(&mut patched(7, "Alice")).unwrap();
    stolen[0].subject = subject(8);
    store.put(stolen);
    assert!(matches!(Vault::new(keys(1), store).await, Err(VaultError::WrongPlatformKey)));
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let printed = format!("{:?} {:?}", keys(1), vault(&Arc::default()).await);
    assert_eq!(printed, "PlatformKeys(…) Vault { subjects: 0, .. }");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_change_of_a_sealed_secret_is_noticed(secret: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8) {
        let vault = block(vault(&Arc::default()));
        let sealed = vault.seal_secret(&secret).unwrap();
        let opened = vault.open_secret(&sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), secret.as_slice());
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(vault.open_secret(&STANDARD.encode(&bytes)).is_none());
        prop_assert!(vault.open_secret(&sealed[..at.index(sealed.len())]).is_none());
    }

    #[test]
    fn any_text_comes_back_for_its_own_subject_only(name: String, at: prop::sample::Index) {
        let vault = block(vault(&Arc::default()));
        let mut event = patched(7, &name);
        vault.seal(&mut event).unwrap();
        vault.seal(&mut patched(8, "Bob")).unwrap();
        let text = name_of(&mut event);
        let opened = vault.open(&text);
        prop_assert_eq!(opened.as_deref(), Some(name.as_str()));
        prop_assert_eq!(vault.open(&Personal { subject: subject(8), ..text.clone() }), None);
        let PersonalText::Sealed(sealed) = &text.text else { panic!("clear") };
        let mut bytes = STANDARD.decode(sealed.as_bytes()).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1;
        let changed = PersonalText::Sealed(STANDARD.encode(bytes).into());
        prop_assert_eq!(vault.open(&Personal { subject: subject(7), text: changed }), None);
    }
}

#[test]
fn derived_keys_differ_and_never_change() {
    let (one, again, two) = (keys(1), keys(1), keys(2));
    assert_eq!(one.token_key(), again.token_key());
    assert_eq!(one.encryption_key(), again.encryption_key());
    assert_eq!(one.attestation_key(), again.attestation_key());
    assert_eq!(one.head_seed(), again.head_seed());
    assert_ne!(one.token_key(), two.token_key());
    let all = [
        one.token_key().to_vec(),
        one.sealing_key().bytes().to_vec(),
        one.encryption_key().to_bytes().to_vec(),
        one.attestation_key().to_bytes().to_vec(),
        one.head_seed().to_vec(),
        one.tree_key().to_vec(),
    ];
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn the_key_file_is_made_once_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| PlatformKeys::open_or_create(dir.path()).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(made.windows(2).all(|pair| pair[0].token_key() == pair[1].token_key()));
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [KEY_FILE]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_wrong_key_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(KEY_FILE);
    let long = format!("{}\n{}\n", platform::FORMAT_LINE, "A".repeat(500));
    for content in ["", "secret", "flexledger platform key v1\n", "flexledger platform key v1\nAAAA\n", long.as_str()] {
        std::fs::write(&path, content).unwrap();
        let error = PlatformKeys::open_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, PlatformKeyError::Content { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(PlatformKeys::open_or_create(dir.path()), Err(PlatformKeyError::Content { .. })));
}

/// A follower hears of an erasure from the log, and leads before the store has forgotten the key.
#[test]
fn a_key_that_another_node_left_is_destroyed_by_the_next_leader() {
    block(async {
        let store = Arc::new(Keys::default());
        let leader = vault(&store).await;
        store.put(leader.seal(&mut patched(1, "Ada")).unwrap());
        store.put(leader.seal(&mut patched(2, "Eve")).unwrap());
        let follower = vault(&store).await;
        follower.mark_erased(subject(1));
        follower.reload().await.unwrap();
        follower.complete_erasure(subject(1)).await.unwrap();
        assert!(store.subject_key(subject(1)).await.unwrap().is_none());
        assert!(store.subject_key(subject(2)).await.unwrap().is_some());
        assert!(!follower.erase(subject(1)).await.unwrap(), "it is gone, and asking again is fine");
    });
}
