//! Exports how long the server's certificate is valid.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::metrics::{Gauge, Metrics, metrics};

/// Time between two reads of the file.
const DELAY: Duration = Duration::from_secs(30);

metrics! {
    /// The metrics of the certificate.
    pub struct CertificateMetrics {
        /// End of validity of the server's certificate, in seconds since the epoch; 0 without one.
        expires: Gauge = "ferry_certificate_expires_timestamp_seconds";
    }
}

/// Reads the certificate in `path` again and again, for as long as it is polled. A file that cannot be
/// read leaves the time as it was: the old certificate stays in use.
pub async fn watch_certificate(path: PathBuf, metrics: &Metrics) {
    let metrics = metrics.of::<CertificateMetrics>();
    loop {
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || expires(&file)).await;
        if let Ok(Some(at)) = read {
            metrics.expires.set((), at as f64);
        }
        tokio::time::sleep(DELAY).await;
    }
}

/// End of validity of the first certificate in a file, in seconds since the epoch.
fn expires(path: &Path) -> Option<i64> {
    let first = CertificateDer::from_pem_file(path).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&first).ok()?;
    Some(certificate.validity().not_after.timestamp())
}
