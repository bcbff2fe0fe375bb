//! The KMS of a PKCS#11 token: an HSM, or SoftHSM.
//!
//! A KEK is a set of AES-256 secret keys labelled `<prefix><name>`, sensitive and not extractable, one for each version:
//! its `CKA_ID` is the version (4 bytes, big-endian) and 4 random bytes, so that two processes never mean two keys by
//! one id. A wrapped key is id ‖ IV ‖ AES-256-GCM (`CKM_AES_GCM`) of the key, with the associated data. The vendor's
//! library is called on threads made for waiting, one call at a time, each with a deadline; a session that broke is
//! opened anew.

use std::sync::Arc;

use async_trait::async_trait;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::kms::{Kms, KmsError};
use crate::config;
use crate::crypto::{self, Key};

/// A KMS behind a PKCS#11 library. Cheap to clone; clones share one session.
#[derive(Clone)]
pub struct Pkcs11Kms {
    seat: Arc<Mutex<Seat>>,
    settings: Arc<config::Pkcs11>,
}

/// The library, and the session while there is one.
struct Seat {
    library: Pkcs11,
    session: Option<Session>,
}

/// `CKA_ID` of one version.
type Id = [u8; 8];

impl Pkcs11Kms {
    /// Loads the library and logs in.
    ///
    /// # Errors
    /// [`KmsError::Setting`] if library, token or PIN are wrong; [`KmsError::Away`] if the device does not serve.
    pub async fn open(settings: config::Pkcs11) -> Result<Self, KmsError> {
        let module = settings.module.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&module)).await;
        let library = loaded.map_err(|_| wrong("kms.module", "the library broke down while it was loaded"))??;
        let settings = Arc::new(settings);
        let kms = Self { seat: Arc::new(Mutex::new(Seat { library, session: None })), settings };
        kms.run(|_| Ok(())).await?;
        Ok(kms)
    }

    /// Does `work` in the session, on a thread made for waiting; once more in a new session if that one broke.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&Session) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, KmsError> {
        let settings = Arc::clone(&self.settings);
        let late = || self.away("it does not answer in time");
        let turn = timeout(self.settings.timeout, Arc::clone(&self.seat).lock_owned());
        let mut seat = turn.await.map_err(|_| late())?;
        // The seat goes with the thread: while a call hangs, nobody else calls.
        let call = tokio::task::spawn_blocking(move || seat.attempt(&settings, &work));
        match timeout(self.settings.timeout, call).await {
            Err(_) => Err(late()),
            Ok(Err(_)) => Err(self.away("the library broke down")),
            Ok(Ok(Ok(done))) => Ok(done),
            Ok(Ok(Err(Fault::Told(error)))) => Err(error),
            Ok(Ok(Err(Fault::Device(error)))) => Err(self.away(&device_fault(&error))),
        }
    }

    fn away(&self, fault: &str) -> KmsError {
        KmsError::Away { place: self.place(), fault: fault.to_owned() }
    }

    fn label(&self, kek: &str) -> Vec<u8> {
        format!("{}{kek}", self.settings.prefix).into_bytes()
    }
}

#[async_trait]
impl Kms for Pkcs11Kms {
    fn place(&self) -> String {
        format!("pkcs11 token {}", self.settings.token)
    }

    async fn create(&self, kek: &str) -> Result<(), KmsError> {
        let label = self.label(kek);
        self.run(move |session| match newest(session, &label)? {
            Some(_) => Ok(()),
            None => generate(session, &label, 1),
        })
        .await
    }

    async fn exists(&self, kek: &str) -> Result<bool, KmsError> {
        let label = self.label(kek);
        self.run(move |session| Ok(newest(session, &label)?.is_some())).await
    }

    async fn names(&self) -> Result<Vec<String>, KmsError> {
        let prefix = self.settings.prefix.clone();
        self.run(move |session| {
            let mut names = Vec::new();
            for object in session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)])? {
                for attribute in session.get_attributes(object, &[AttributeType::Label])? {
                    let Attribute::Label(label) = attribute else { continue };
                    let label = String::from_utf8_lossy(&label).into_owned();
                    names.extend(label.strip_prefix(&prefix).map(str::to_owned));
                }
            }
            names.sort_unstable();
            names.dedup();
            Ok(names)
        })
        .await
    }

    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError> {
        let (label, name, aad) = (self.label(kek), kek.to_owned(), aad.to_vec());
        let secret = Zeroizing::new(key.bytes().to_vec());
        self.run(move |session| {
            let Some((id, object)) = newest(session, &label)? else {
                return Err(Fault::Told(KmsError::NoSuchKek(name.clone())));
            };
            let mut iv = crypto::random::<IV>();
            let text = {
                let parameters = GcmParams::new(&mut iv, &aad, TAG_BITS.into())?;
                session.encrypt(&Mechanism::AesGcm(parameters), object, &secret)?
            };
            Ok([&id, iv.as_slice(), &text].concat())
        })
        .await
    }

    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError> {
        let unopened = || KmsError::Unopened(kek.to_owned());
        let (id, rest) = wrapped.split_first_chunk::<8>().ok_or_else(unopened)?;
        let (iv, text) = rest.split_first_chunk::<IV>().ok_or_else(unopened)?;
        // Some libraries take a shorter text for a misuse, not for a forgery.
        if text.len() != 32 + TAG_BITS as usize / 8 {
            return Err(unopened());
        }
        let (label, name, aad, id, iv, text) = (self.label(kek), kek.to_owned(), aad.to_vec(), *id, *iv, text.to_vec());
        self.run(move |session| {
            let versions = versions(session, &label)?;
            if versions.is_empty() {
                return Err(Fault::Told(KmsError::NoSuchKek(name.clone())));
            }
            let unopened = || Fault::Told(KmsError::Unopened(name.clone()));
            let (_, object) = versions.into_iter().find(|(known, _)| *known == id).ok_or_else(unopened)?;
            let mut iv = iv;
            let parameters = GcmParams::new(&mut iv, &aad, TAG_BITS.into())?;
            let opened = session.decrypt(&Mechanism::AesGcm(parameters), object, &text).map(Zeroizing::new);
            let opened = opened.map_err(|error| if is_forgery(&error) { unopened() } else { error.into() })?;
            <[u8; 32]>::try_from(opened.as_slice()).map(Key::new).map_err(|_| unopened())
        })
        .await
    }

    async fn rotate(&self, kek: &str) -> Result<(), KmsError> {
        let (label, name) = (self.label(kek), kek.to_owned());
        self.run(move |session| match newest(session, &label)? {
            Some((id, _)) => generate(session, &label, version(&id).saturating_add(1)),
            None => Err(Fault::Told(KmsError::NoSuchKek(name.clone()))),
        })
        .await
    }

    async fn prune(&self, kek: &str) -> Result<(), KmsError> {
        let label = self.label(kek);
        self.run(move |session| {
            let mut versions = versions(session, &label)?;
            versions.pop();
            versions.into_iter().try_for_each(|(_, object)| Ok(session.destroy_object(object)?))
        })
        .await
    }

    async fn destroy(&self, kek: &str) -> Result<(), KmsError> {
        let label = self.label(kek);
        self.run(move |session| {
            versions(session, &label)?.into_iter().try_for_each(|(_, object)| Ok(session.destroy_object(object)?))
        })
        .await
    }
}

/// What went wrong within a call.
enum Fault {
    /// To be told as it is.
    Told(KmsError),
    /// Said by the library.
    Device(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Device(error)
    }
}

impl Seat {
    fn attempt<T>(
        &mut self,
        settings: &config::Pkcs11,
        work: &impl Fn(&Session) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let had_session = self.session.is_some();
        match self.once(settings, work) {
            Err(Fault::Device(_)) if had_session => {
                self.session = None;
                self.once(settings, work)
            }
            settled => settled,
        }
        .inspect_err(|fault| {
            if matches!(fault, Fault::Device(_)) {
                self.session = None;
            }
        })
    }

    fn once<T>(&mut self, settings: &config::Pkcs11, work: &impl Fn(&Session) -> Result<T, Fault>) -> Result<T, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => log_in(&self.library, settings)?,
        };
        work(self.session.insert(session))
    }
}

fn load(module: &std::path::Path) -> Result<Pkcs11, KmsError> {
    let library = Pkcs11::new(module).map_err(|error| {
        wrong("kms.module", &format!("{}: no PKCS#11 library can be loaded from it ({error})", module.display()))
    })?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(library),
        Err(error) => {
            Err(KmsError::Away { place: format!("pkcs11 {}", module.display()), fault: device_fault(&error) })
        }
    }
}

fn log_in(library: &Pkcs11, settings: &config::Pkcs11) -> Result<Session, Fault> {
    let mut found = None;
    for slot in library.get_slots_with_token()? {
        if library.get_token_info(slot).is_ok_and(|token| token.label().trim_end() == settings.token) {
            found = Some(slot);
        }
    }
    let Some(slot) = found else {
        let place = format!("pkcs11 token {}", settings.token);
        let fault = "there is no token of this label; plug it in, or mend kms.token".to_owned();
        return Err(Fault::Told(KmsError::Away { place, fault }));
    };
    let session = library.open_rw_session(slot)?;
    match session.login(UserType::User, Some(&AuthPin::new(settings.pin.0.as_str().into()))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
            Err(Fault::Told(wrong("kms.pin", "the token refuses this PIN; mend it before the token locks itself")))
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => {
            Err(Fault::Told(wrong("kms.pin", "the PIN is locked; unlock it with the vendor's tool")))
        }
        Err(error) => Err(error.into()),
    }
}

/// The versions of a KEK, the newest last.
fn versions(session: &Session, label: &[u8]) -> Result<Vec<(Id, ObjectHandle)>, Fault> {
    let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.to_vec())];
    let mut found = Vec::new();
    for object in session.find_objects(&template)? {
        for attribute in session.get_attributes(object, &[AttributeType::Id])? {
            let Attribute::Id(id) = attribute else { continue };
            found.extend(Id::try_from(id.as_slice()).ok().map(|id| (id, object)));
        }
    }
    found.sort_unstable_by_key(|(id, _)| *id);
    Ok(found)
}

fn newest(session: &Session, label: &[u8]) -> Result<Option<(Id, ObjectHandle)>, Fault> {
    Ok(versions(session, label)?.pop())
}

fn version(id: &Id) -> u32 {
    id.first_chunk::<4>().map_or(0, |version| u32::from_be_bytes(*version))
}

fn generate(session: &Session, label: &[u8], version: u32) -> Result<(), Fault> {
    let id = [version.to_be_bytes(), crypto::random()].concat();
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Label(label.to_vec()),
        Attribute::Id(id),
    ];
    session.generate_key(&Mechanism::AesKeyGen, &template)?;
    Ok(())
}

/// How libraries say that a tag does not fit; SoftHSM has only its general error for it.
fn is_forgery(error: &Error) -> bool {
    use RvError::{EncryptedDataInvalid, EncryptedDataLenRange, GeneralError};
    matches!(error, Error::Pkcs11(EncryptedDataInvalid | EncryptedDataLenRange | GeneralError, _))
}

/// What the library said, in its own code's name: it knows no secrets.
fn device_fault(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{function} answers {code:?}; look at the device and its log"),
        other => format!("the library fails ({other}); look at the device and its log"),
    }
}

fn wrong(key: &'static str, mend: &str) -> KmsError {
    KmsError::Setting { key, mend: mend.to_owned() }
}

/// Bytes of an IV (SP 800-38D §8.2.2), drawn at random: a KEK wraps a few keys, not billions.
const IV: usize = 12;
/// Bits of a tag.
const TAG_BITS: u64 = 128;
