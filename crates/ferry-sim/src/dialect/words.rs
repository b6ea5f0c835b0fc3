//! Messages in several languages.

use super::super::reply::{Defect, Refusal};

/// Language of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
    Japanese,
    /// Refusals have no message.
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

    /// The message of a refusal.
    pub(super) fn refusal(self, why: Refusal, name: &str) -> String {
        match self {
            Self::None => String::new(),
            Self::English => english(why, name),
            Self::German => german(why, name),
            Self::French => french(why, name),
            Self::Japanese => japanese(why, name),
        }
    }
}

fn english(why: Refusal, name: &str) -> String {
    match why {
        Refusal::NameExists => return format!("a dataset named {name} already exists"),
        Refusal::NoSuchPath => "nothing here",
        Refusal::Unauthorized => "unauthorized",
        Refusal::UnknownKey => "unknown key",
        Refusal::OtherUsername => "Username does not match the client",
        Refusal::NotAnUpload => "not an upload: check the fields and the content type",
        Refusal::BadOverwrite => "Overwrite must be true or false",
        Refusal::Incomplete => "Name and Data are required",
        Refusal::TooLarge => "the upload is too large",
        Refusal::BadQuery => "token, dataKey and key are required, once each",
        Refusal::UnknownToken => "unknown token",
        Refusal::NotReady => "not ready",
        Refusal::DataRejected => "the dataset was rejected",
        Refusal::Throttled => "too many requests",
    }
    .to_owned()
}

fn german(why: Refusal, name: &str) -> String {
    match why {
        Refusal::NameExists => return format!("Der Bezeichner {name} ist bereits vergeben"),
        Refusal::NoSuchPath => "Seite nicht gefunden",
        Refusal::Unauthorized => "Anmeldung erforderlich",
        Refusal::UnknownKey => "Schlüssel unbekannt",
        Refusal::OtherUsername => "Username gehört nicht zum Client",
        Refusal::NotAnUpload => "Ungültige Anfrage: bitte Felder prüfen",
        Refusal::BadOverwrite => "Overwrite muss true oder false sein",
        Refusal::Incomplete => "Name und Data sind Pflichtfelder",
        Refusal::TooLarge => "Die Datei ist zu groß",
        Refusal::BadQuery => "token, dataKey und key werden je einmal benötigt",
        Refusal::UnknownToken => "Kein Vorgang mit diesem Token",
        Refusal::NotReady => "Noch in Bearbeitung",
        Refusal::DataRejected => "Die Daten wurden zurückgewiesen",
        Refusal::Throttled => "Zu viele Anfragen",
    }
    .to_owned()
}

fn french(why: Refusal, name: &str) -> String {
    match why {
        Refusal::NameExists => return format!("L’identifiant {name} est déjà utilisé"),
        Refusal::NoSuchPath => "Page introuvable",
        Refusal::Unauthorized => "Authentification requise",
        Refusal::UnknownKey => "Clé inconnue",
        Refusal::OtherUsername => "Username ne correspond pas au client",
        Refusal::NotAnUpload => "Requête invalide : vérifiez les champs",
        Refusal::BadOverwrite => "Overwrite doit valoir true ou false",
        Refusal::Incomplete => "Name et Data sont obligatoires",
        Refusal::TooLarge => "Le fichier est trop volumineux",
        Refusal::BadQuery => "token, dataKey et key sont obligatoires",
        Refusal::UnknownToken => "Jeton inconnu",
        Refusal::NotReady => "Traitement en cours",
        Refusal::DataRejected => "Les données ont été refusées",
        Refusal::Throttled => "Trop de requêtes",
    }
    .to_owned()
}

fn japanese(why: Refusal, name: &str) -> String {
    match why {
        Refusal::NameExists => return format!("名称「{name}」は使用済みです"),
        Refusal::NoSuchPath => "ページが見つかりません",
        Refusal::Unauthorized => "認証が必要です",
        Refusal::UnknownKey => "キーが不明です",
        Refusal::OtherUsername => "Usernameが一致しません",
        Refusal::NotAnUpload => "リクエストが正しくありません",
        Refusal::BadOverwrite => "Overwriteはtrueまたはfalseです",
        Refusal::Incomplete => "NameとDataは必須です",
        Refusal::TooLarge => "ファイルが大きすぎます",
        Refusal::BadQuery => "token、dataKey、keyは必須です",
        Refusal::UnknownToken => "トークンが不明です",
        Refusal::NotReady => "処理中です",
        Refusal::DataRejected => "データは拒否されました",
        Refusal::Throttled => "リクエストが多すぎます",
    }
    .to_owned()
}
