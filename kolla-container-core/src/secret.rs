//! What must never be shown: values declared secret, values secret by their name, passwords in URLs.
//!
//! Secrecy is a matter of showing only; it is never part of equality.

/// The words that make a name secret, wherever `_`, `-` or `.` separates words.
const WORDS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "token",
    "secret",
    "key",
    "cookie",
    "credential",
    "auth",
    "private",
    "salt",
];

/// What stands in for a hidden value.
pub(crate) const HIDDEN: &str = "(secret)";

/// Whether a value of this name is secret: one of its words, between `_`, `-` and `.`, is
/// password, passwd, pwd, pass, passphrase, token, secret, key, cookie, credential, auth, private or
/// salt, in any case, also in the plural.
///
/// ```
/// use kolla_container_core::is_secret_name;
///
/// assert!(is_secret_name("RABBITMQ_CLUSTER_COOKIE"));
/// assert!(is_secret_name("db.password"));
/// assert!(!is_secret_name("KEYSTONE_URL"));
/// ```
pub fn is_secret_name(name: &str) -> bool {
    name.split(['_', '-', '.', '/']).any(|word| {
        WORDS.iter().any(|secret| {
            let plural = word.len() == secret.len() + 1 && word.ends_with(['s', 'S']);
            let singular = if plural { word.get(..secret.len()).unwrap_or(word) } else { word };
            singular.eq_ignore_ascii_case(secret)
        })
    })
}

/// `text` without what is secret in it: the userinfo of URLs, and the value in `NAME=value` where
/// the name is secret.
pub(crate) fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'')) {
        shown.push_str(&redact_piece(piece));
    }
    shown
}

fn redact_piece(piece: &str) -> String {
    let end = piece.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'')).len();
    let (word, tail) = piece.split_at_checked(end).unwrap_or((piece, ""));
    if let Some((name, value)) = word.split_once('=')
        && is_secret_name(name.trim_start_matches('-'))
        && !(value.is_empty() && tail.trim().is_empty())
    {
        return format!("{name}={HIDDEN}{tail}");
    }
    format!("{}{tail}", without_userinfo(word))
}

/// `scheme://user:password@host` with the password hidden, and `scheme://token@host` left alone: a
/// user name is no secret.
fn without_userinfo(word: &str) -> String {
    let mut shown = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let authority_end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, tail) = after.split_at_checked(authority_end).unwrap_or((after, ""));
        match authority.rsplit_once('@') {
            Some((userinfo, host)) => {
                let user = userinfo.split_once(':').map_or(userinfo, |(user, _)| user);
                shown.push_str(user);
                if userinfo.contains(':') {
                    shown.push(':');
                    shown.push_str(HIDDEN);
                }
                shown.push('@');
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

/// The words of a command line, without the secrets in them: `--password=x`, `--password x`,
/// `PASSWORD=x`, and URLs anywhere.
pub(crate) fn redact_argv<'a>(argv: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut hide_next = false;
    argv.into_iter()
        .map(|word| {
            if std::mem::take(&mut hide_next) && !word.starts_with('-') {
                return HIDDEN.to_owned();
            }
            hide_next = word.starts_with('-') && !word.contains('=') && is_secret_name(word.trim_start_matches('-'));
            redact(word)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_secret_by_its_whole_words() {
        for secret in
            ["PASSWORD", "db_passwd", "API-KEY", "a.token", "OS_AUTH", "SALT", "aws_credentials", "SSH_KEYS", "private"]
        {
            assert!(is_secret_name(secret), "{secret}");
        }
        for plain in ["KEYSTONE", "MONKEY", "AUTHOR", "TOKENIZER", "PASSAGE", "COOKIES2", ""] {
            assert!(!is_secret_name(plain), "{plain}");
        }
    }

    #[test]
    fn the_password_in_a_url_is_hidden_and_the_rest_is_not() {
        assert_eq!(redact("mysql://root:hunter2@db:3306/nova?x=1"), "mysql://root:(secret)@db:3306/nova?x=1");
        assert_eq!(redact("http://192.0.2.1:80/a@b"), "http://192.0.2.1:80/a@b");
        assert_eq!(redact("a://u:p@h b://v:q@i"), "a://u:(secret)@h b://v:(secret)@i");
        assert_eq!(redact("a://u:p@x@h"), "a://u:(secret)@h");
    }

    #[test]
    fn an_assignment_to_a_secret_name_is_hidden_wherever_it_stands() {
        assert_eq!(
            redact("DB_PASSWORD=hunter2 exec 'run'; TOKEN=abc"),
            "DB_PASSWORD=(secret) exec 'run'; TOKEN=(secret)"
        );
        assert_eq!(redact("PASSWORD="), "PASSWORD=");
        assert_eq!(redact("MODE=fast"), "MODE=fast");
    }

    #[test]
    fn a_command_line_hides_the_word_after_a_secret_flag() {
        let shown = redact_argv(["mysqld", "--password", "hunter2", "--auth-token=abc", "--token", "--verbose"]);

        assert_eq!(shown, ["mysqld", "--password", "(secret)", "--auth-token=(secret)", "--token", "--verbose"]);
    }
}
