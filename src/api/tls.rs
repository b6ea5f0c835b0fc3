//! TLS by a certificate and a key in files, which are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::followed_files::FollowedFiles;
use ferry_types::recurring::Recurring;

/// The files of a certificate and its key, both as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that it was signed with after it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("cannot read the {what} in `{}`: {cause}", path.display())]
    File {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
    /// They cannot be used, or not together.
    #[error("certificate `{}` and key `{}` cannot be used: {cause}", files.certificate.display(), files.key.display())]
    Unfit {
        /// The two files.
        files: TlsFiles,
        /// The cause.
        cause: rustls::Error,
    },
}

/// The certificate that connections are secured with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    loaded: Mutex<LoadedCertificate>,
}

#[derive(Debug)]
struct LoadedCertificate {
    followed: FollowedFiles,
    config: Arc<ServerConfig>,
    failures: Recurring,
}

impl Tls {
    /// Reads the files.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let paths = [files.certificate.clone(), files.key.clone()];
        let (followed, config) = FollowedFiles::open(paths, || read(&files))?;
        let failures = Recurring::default();
        let loaded = Mutex::new(LoadedCertificate { followed, config, failures });
        Ok(Self { files, loaded })
    }

    /// Secures the next connection. Files that cannot be used leave the certificate as it was.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut loaded = self.loaded.lock();
        if loaded.followed.is_due() {
            match loaded.followed.read(|| read(&self.files)) {
                None => {}
                Some(Ok(config)) => {
                    info!("read the certificate again, which has changed");
                    (loaded.config, loaded.failures) = (config, Recurring::default());
                }
                // While one file is new and the other is not yet, too.
                Some(Err(error)) => loaded.failures.failed(|| {
                    warn!(%error, "the old certificate stays in use");
                }),
            }
        }
        TlsAcceptor::from(loaded.config.clone())
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::File { what, path, cause: describe(error) }
    };
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|all| if all.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(all) })
        .map_err(failed("certificate", &files.certificate))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(failed("private key", &files.key))?;
    let unfit = |cause| TlsError::Unfit { files: files.clone(), cause };
    let mut config = ServerConfig::builder_with_provider(crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The cause, without the content of the file.
fn describe(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "there is none".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}
