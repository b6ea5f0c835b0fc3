//! Messages in several languages.

use super::super::reply::{Defect, Rejection};

/// Language of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
    Japanese,
    /// Rejections have no message.
    None,
}

impl Language {
    /// A status word that no document names.
    pub(super) fn odd_word(self) -> &'static str {
        match self {
            Self::English | Self::None => "Contemplating",
            Self::German => "Wird gepr\u{fc}ft",
            Self::French => "En cours d\u{2019}examen",
            Self::Japanese => "審査中",
        }
    }

    /// The message about a defect of a row.
    pub(super) fn defect(self, defect: Defect) -> &'static str {
        let [english, german, french, japanese] = match defect {
            Defect::TooFewColumns => [
                "too few columns",
                "zu wenige Spalten",
                "colonnes manquantes",
                "列が不足しています",
            ],
            Defect::NoReference => [
                "a reference is required",
                "Referenz fehlt",
                "référence obligatoire",
                "参照番号は必須です",
            ],
            Defect::UnknownReference => [
                "unknown reference",
                "unbekannte Referenz",
                "référence inconnue",
                "不明な参照番号です",
            ],
            Defect::NotADate => {
                ["not a date", "ungültiges Datum", "date invalide", "日付が正しくありません"]
            }
            Defect::NotATime => {
                ["not a time", "ungültige Uhrzeit", "heure invalide", "時刻が正しくありません"]
            }
            Defect::TimeReference => [
                "time reference must be 0, 1 or 2",
                "Zeitbezug muss 0, 1 oder 2 sein",
                "référence horaire : 0, 1 ou 2",
                "時刻基準は0、1、2のいずれかです",
            ],
        };
        match self {
            Self::English | Self::None => english,
            Self::German => german,
            Self::French => french,
            Self::Japanese => japanese,
        }
    }

    /// The message of a rejection.
    pub(super) fn rejection(self, why: Rejection, name: &str) -> String {
        match self {
            Self::None => String::new(),
            Self::English => english(why, name),
            Self::German => german(why, name),
            Self::French => french(why, name),
            Self::Japanese => japanese(why, name),
        }
    }
}

fn english(why: Rejection, name: &str) -> String {
    match why {
        Rejection::NameExists => return format!("a dataset named {name} already exists"),
        Rejection::NoSuchPath => "nothing here",
        Rejection::Unauthorized => "unauthorized",
        Rejection::UnknownKey => "unknown key",
        Rejection::OtherUsername => "Username does not match the client",
        Rejection::NotAnUpload => "not an upload: check the fields and the content type",
        Rejection::BadOverwrite => "Overwrite must be true or false",
        Rejection::Incomplete => "Name and Data are required",
        Rejection::TooLarge => "the upload is too large",
        Rejection::BadQuery => "token, dataKey and key are required, once each",
        Rejection::UnknownToken => "unknown token",
        Rejection::NotReady => "not ready",
        Rejection::DataRejected => "the dataset was rejected",
        Rejection::Throttled => "too many requests",
    }
    .to_owned()
}

fn german(why: Rejection, name: &str) -> String {
    match why {
        Rejection::NameExists => return format!("Der Bezeichner {name} ist bereits vergeben"),
        Rejection::NoSuchPath => "Seite nicht gefunden",
        Rejection::Unauthorized => "Anmeldung erforderlich",
        Rejection::UnknownKey => "Schlüssel unbekannt",
        Rejection::OtherUsername => "Username gehört nicht zum Client",
        Rejection::NotAnUpload => "Ungültige Anfrage: bitte Felder prüfen",
        Rejection::BadOverwrite => "Overwrite muss true oder false sein",
        Rejection::Incomplete => "Name und Data sind Pflichtfelder",
        Rejection::TooLarge => "Die Datei ist zu groß",
        Rejection::BadQuery => "token, dataKey und key werden je einmal benötigt",
        Rejection::UnknownToken => "Kein Vorgang mit diesem Token",
        Rejection::NotReady => "Noch in Bearbeitung",
        Rejection::DataRejected => "Die Daten wurden zurückgewiesen",
        Rejection::Throttled => "Zu viele Anfragen",
    }
    .to_owned()
}

fn french(why: Rejection, name: &str) -> String {
    match why {
        Rejection::NameExists => return format!("L’identifiant {name} est déjà utilisé"),
        Rejection::NoSuchPath => "Page introuvable",
        Rejection::Unauthorized => "Authentification requise",
        Rejection::UnknownKey => "Clé inconnue",
        Rejection::OtherUsername => "Username ne correspond pas au client",
        Rejection::NotAnUpload => "Requête invalide : vérifiez les champs",
        Rejection::BadOverwrite => "Overwrite doit valoir true ou false",
        Rejection::Incomplete => "Name et Data sont obligatoires",
        Rejection::TooLarge => "Le fichier est trop volumineux",
        Rejection::BadQuery => "token, dataKey et key sont obligatoires",
        Rejection::UnknownToken => "Jeton inconnu",
        Rejection::NotReady => "Traitement en cours",
        Rejection::DataRejected => "Les données ont été refusées",
        Rejection::Throttled => "Trop de requêtes",
    }
    .to_owned()
}

fn japanese(why: Rejection, name: &str) -> String {
    match why {
        Rejection::NameExists => return format!("名称「{name}」は使用済みです"),
        Rejection::NoSuchPath => "ページが見つかりません",
        Rejection::Unauthorized => "認証が必要です",
        Rejection::UnknownKey => "キーが不明です",
        Rejection::OtherUsername => "Usernameが一致しません",
        Rejection::NotAnUpload => "リクエストが正しくありません",
        Rejection::BadOverwrite => "Overwriteはtrueまたはfalseです",
        Rejection::Incomplete => "NameとDataは必須です",
        Rejection::TooLarge => "ファイルが大きすぎます",
        Rejection::BadQuery => "token、dataKey、keyは必須です",
        Rejection::UnknownToken => "トークンが不明です",
        Rejection::NotReady => "処理中です",
        Rejection::DataRejected => "データは拒否されました",
        Rejection::Throttled => "リクエストが多すぎます",
    }
    .to_owned()
}
