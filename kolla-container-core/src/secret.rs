//! What must never be shown: values declared secret, values secret by their name, passwords in URLs.
//!
//! Secrecy is a matter of showing only; it is never part of equality.

/// What makes a name secret also where it is only the end of one of its words: `PGPASSWORD`.
const ENDS: [&str; 6] = ["password", "passwd", "passphrase", "secret", "token", "apikey"];

/// The words that make a name secret, wherever `_`, `-` or `.` separates words.
const WORDS: [&str; 14] = [
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
    "sshpass",
];

/// What stands in for a hidden value.
pub(crate) const HIDDEN: &str = "(secret)";

/// Whether a value of this name is secret: one of its words, between `_`, `-` and `.`, is
/// password, passwd, pwd, pass, passphrase, token, secret, key, cookie, credential, auth, private,
/// salt or sshpass, in any case, also in the plural. So is the last of the words that are told apart by capitals alone
/// (`dbKey`), and a word that ends in password, passwd, passphrase, secret, token or apikey (`PGPASSWORD`).
///
/// ```
/// use kolla_container_core::is_secret_name;
///
/// assert!(is_secret_name("RABBITMQ_CLUSTER_COOKIE"));
/// assert!(is_secret_name("db.password"));
/// assert!(is_secret_name("PGPASSWORD"));
/// assert!(!is_secret_name("KEYSTONE_URL"));
/// ```
pub fn is_secret_name(name: &str) -> bool {
    name.split(['_', '-', '.', '/']).any(|word| is_secret_in_a_word(word) || is_secret_in_a_word(last_part(word)))
}

fn is_secret_in_a_word(word: &str) -> bool {
    let singular = word.strip_suffix(['s', 'S']).unwrap_or(word);
    let is = |secret: &&str| [word, singular].iter().any(|word| word.eq_ignore_ascii_case(secret));
    let ends = |secret: &&str| {
        let start = singular.len().checked_sub(secret.len());
        start.and_then(|start| singular.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(secret))
    };
    WORDS.iter().any(is) || ENDS.iter().any(ends)
}

/// The end of a word from its last capital behind a small letter on: `Password` of `dbPassword`.
fn last_part(word: &str) -> &str {
    let begins =
        |pair: &[u8]| matches!(pair, [before, after] if before.is_ascii_lowercase() && after.is_ascii_uppercase());
    let start = word.as_bytes().windows(2).rposition(begins).map_or(0, |at| at + 1);
    word.get(start..).unwrap_or(word)
}

/// Whether the value assigned to `word` is secret: by its name, also behind dashes, or behind the one
/// letter of a flag such as `-e` or `-D`.
fn is_secret_word(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    let letter = if word.len() == name.len() + 1 { name.get(1..) } else { None };
    is_secret_name(name) || letter.is_some_and(is_secret_name)
}

/// The words of a command line, without the secrets in them. Hidden are
///
/// - what follows the `=`, or the `: ` of a header, in a word that begins with a secret name,
/// - the word after a secret flag, unless it begins with `--`,
/// - and what [`redact`] hides in each of the other words.
pub(crate) fn redact_argv<'a>(argv: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut hide_next = false;
    argv.into_iter()
        .map(|word| {
            if std::mem::take(&mut hide_next) && !word.starts_with("--") {
                return HIDDEN.to_owned();
            }
            let is_secret =
                |name: &str| !name.contains("://") && !name.contains(char::is_whitespace) && is_secret_word(name);
            hide_next = word.starts_with('-') && !word.contains('=') && is_secret(word);
            ["=", ": "]
                .into_iter()
                .find_map(|sign| {
                    let (name, value) = word.split_once(sign)?;
                    let hide = is_secret(name) && !value.is_empty();
                    hide.then(|| format!("{}{sign}{HIDDEN}", redact(name)))
                })
                .unwrap_or_else(|| redact(word))
        })
        .collect()
}

/// `text` without what is secret in it: in a script, in an error message, in JSON, in YAML.
///
/// - The password of a URL is hidden: what stands between the user and the last `@` before white space.
/// - After `NAME=`, `"name":`, `NAME:` or a flag, where the name is secret, the REST of the text is hidden:
///   where a value ends depends on who reads it, and showing too much cannot be taken back.
pub(crate) fn redact(text: &str) -> String {
    let text = without_passwords_in_urls(text);
    let mut at = 0;
    while let Some(value) = value_in(&text, at) {
        let (before, rest) = text.split_at_checked(value).unwrap_or((&text, ""));
        if !rest.is_empty() && !rest.starts_with(HIDDEN) {
            return format!("{before}{HIDDEN}");
        }
        // What was hidden before stays as it is.
        at = value + HIDDEN.len();
    }
    text
}

/// Where the first value that belongs to a secret name begins.
fn value_in(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some((start, end)) = next_name(text, at) {
        at = end;
        if let Some(value) = text.get(start..end).and_then(|name| value_of(text, name, start, end)) {
            return Some(value);
        }
    }
    None
}

/// Where the next word begins and ends that could be a name.
fn next_name(text: &str, from: usize) -> Option<(usize, usize)> {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/');
    let rest = text.as_bytes().get(from..)?;
    let start = from + rest.iter().position(is_part)?;
    let length = text.as_bytes().get(start..)?.iter().take_while(|b| is_part(b)).count();
    Some((start, start + length))
}

/// Where the value begins that belongs to the `name` from `start` to `end`, if it is a secret one.
fn value_of(text: &str, name: &str, start: usize, end: usize) -> Option<usize> {
    // In a text that is shown with its escapes, the `n` of `\n` is no part of the name.
    let unescaped = text.get(..start).is_some_and(|before| before.ends_with('\\')).then(|| name.get(1..)).flatten();
    if !is_secret_word(name) && !unescaped.is_some_and(is_secret_word) {
        return None;
    }
    let after = text.get(end..)?;
    let unquoted = after.trim_start_matches(['\\', '"', '\'', '`']);
    let is_quoted = unquoted.len() < after.len();
    let place = |rest: &str| text.len() - rest.len();
    if name.starts_with('-') || unescaped.is_some_and(|name| name.starts_with('-')) {
        // A text that is shown with its escapes has `\n` and `\t` for the white space after a flag.
        let escaped = unquoted.strip_prefix(['n', 'r', 't']).filter(|_| after.starts_with('\\'));
        let argument = escaped.unwrap_or(unquoted).trim_start_matches([',', ' ', '\t', '\n', '\\']);
        if escaped.is_some() || argument.len() < unquoted.len() {
            let is_flag = argument.strip_prefix(['"', '\'']).unwrap_or(argument).starts_with("--");
            return (!is_flag).then(|| place(argument));
        }
    }
    let rest = unquoted.trim_start_matches([']', ' ', '\t']);
    let assigned = ["=", "+=", ":=", "!=", "?="].into_iter().find_map(|sign| rest.strip_prefix(sign));
    if let Some(value) = assigned {
        return Some(place(value.trim_start_matches(['=', '>', ' ', '\t'])));
    }
    let is_upper = name.bytes().any(|b| b.is_ascii_uppercase()) && !name.bytes().any(|b| b.is_ascii_lowercase());
    let before = text.get(..start)?;
    let is_opened = before.ends_with(['"', '\'', '`']);
    let value = unquoted.strip_prefix(':')?.trim_start();
    // `open "/etc/key": no such file` names a file, and `invalid key: "x"` is prose.
    let is_key = !name.contains('/') && (is_quoted || is_upper || is_opened);
    let begins = before.trim_end_matches([' ', '\t', '"', '\'', '\\']);
    let is_entry = opens_quote(value) && (begins.is_empty() || begins.ends_with(['\n', '{', '[', '(', ',']));
    (is_key || is_entry).then(|| place(value))
}

fn opens_quote(value: &str) -> bool {
    value.trim_start_matches('\\').starts_with(['"', '\'', '`'])
}

/// `scheme://user:password@host` with the password hidden. A user alone is no secret, and neither is what
/// follows an address and its port, as in `http://192.0.2.1:80/a@b`.
fn without_passwords_in_urls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (url, tail) = after.split_at_checked(end).unwrap_or((after, ""));
        let userinfo = url.rsplit_once('@').and_then(|(userinfo, host)| Some((userinfo.split_once(':')?, host)));
        match userinfo {
            Some(((user, password), host)) if !password.is_empty() && !is_behind_an_address(user, password) => {
                shown.extend([user, ":", HIDDEN]);
                // As in `http://h:80/?token=a@b`, where what follows the `@` is secret, too.
                if value_in(password, 0).is_some() {
                    return shown;
                }
                shown.push('@');
                shown.push_str(host);
            }
            _ => shown.push_str(url),
        }
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

/// Whether `host:rest` is an address with a port and a path, in which an `@` is only an `@`.
fn is_behind_an_address(host: &str, rest: &str) -> bool {
    let is_host = host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok();
    let Some((port, path)) = rest.split_once(['/', '?', '#']) else { return false };
    is_host && port.parse::<u16>().is_ok() && !path.contains(':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_secret_by_its_words_and_some_of_their_ends() {
        let words = [
            "PASSWORD",
            "db_passwd",
            "API-KEY",
            "a.token",
            "OS_AUTH",
            "SALT",
            "aws_credentials",
            "SSH_KEYS",
            "private",
        ];
        let ends = ["PGPASSWORD", "dbpasswords", "APIKEY", "adminPassword", "sshKey", "SSHPASS"];
        for secret in words.into_iter().chain(ends) {
            assert!(is_secret_name(secret), "{secret}");
        }
        for plain in [
            "KEYSTONE",
            "MONKEY",
            "COMPASS",
            "AUTHOR",
            "TOKENIZER",
            "PASSAGE",
            "COOKIES2",
            "KeyError",
            "PrivateTmp",
            "ä",
            "",
        ] {
            assert!(!is_secret_name(plain), "{plain}");
        }
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in [
            "",
            "MODE=fast",
            "http://192.0.2.1:80/a@b",
            "http://localhost:8080/a@b",
            "healthcheck_curl http://192.0.2.11:5000/healthcheck",
            "a://u@h",
            "a://u:@h",
            "PASSWORD=",
            "mysqladmin --password --verbose ping",
            "security.cap_add: no capability",
            "token: expected a text",
            "environment[API_KEY]: this is a number, here goes a text",
            "it's a key, isn't it",
            "KeyError: 'transport_url'",
            "ssh -o StrictHostKeyChecking=no node1 uptime",
            "quay.io/kolla/nova-api:2026.1@sha256:00ff",
            "übergrößenträger 'ä' \\",
            "/run/secrets/token",
            "open \"/run/secrets/token\": permission denied",
            "Get \"http://ctl:5000/v3/auth/tokens\": connection refused",
            "invalid key: \"x\" in section y",
            "environment[DB_PASSWORD=(secret)]: wrong",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn the_password_in_a_url_is_hidden_whatever_is_in_it() {
        for (text, shown) in [
            ("mysql://root:hunter2@db:3306/nova?x=1", "mysql://root:(secret)@db:3306/nova?x=1"),
            ("a://u:p@h b://v:q@i", "a://u:(secret)@h b://v:(secret)@i"),
            ("a://u:p@x@h", "a://u:(secret)@h"),
            ("mysql://root:a;b&c@h", "mysql://root:(secret)@h"),
            ("amqp://o:p#s/s?@h", "amqp://o:(secret)@h"),
            ("amqp://o:12345/ss@h", "amqp://o:(secret)@h"),
            ("http://h:80/?token=@hunter2", "http://h:(secret)"),
            ("get http://h:80/?token='ab@c def'", "get http://h:(secret)"),
            ("amqp://:hunter2@h", "amqp://:(secret)@h"),
            ("rabbit://u:p1@h1:5672,u:p2@h2:5672//", "rabbit://u:(secret)@h2:5672//"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn what_follows_a_secret_name_is_hidden_to_the_end() {
        for (text, shown) in [
            ("run -v DB_PASSWORD='hun ter2' cmd", "run -v DB_PASSWORD=(secret)"),
            ("docker run -ePASSWORD=hunter2 x", "docker run -ePASSWORD=(secret)"),
            ("mysqladmin --password hunter2 ping", "mysqladmin --password (secret)"),
            ("mysql --password -hunter2 -e x", "mysql --password (secret)"),
            ("curl -H 'X-Auth-Token: hun ter2' a://h", "curl -H 'X-Auth-Token: (secret)"),
            ("[\"--password\", \"hun ter2\"]", "[\"--password\", (secret)"),
            (r#"{"a": 1, "password": "hun, ter2"}"#, r#"{"a": 1, "password": (secret)"#),
            (r#"{\"DB_PASSWORD\":\"hunter2\"}"#, r#"{\"DB_PASSWORD\":(secret)"#),
            ("PASSWORD: hunter2", "PASSWORD: (secret)"),
            ("password = hunter2", "password = (secret)"),
            ("mysql --password ====== x", "mysql --password (secret)"),
            (r#""mysql --password\thunter2" is wrong"#, r#""mysql --password\t(secret)"#),
            ("[ \"$TOKEN\" != 'hunter2' ]", "[ \"$TOKEN\" != (secret)"),
            ("Login { password: \"hunter2\" }", "Login { password: (secret)"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn a_command_line_hides_the_words_that_are_secret() {
        for (argv, shown) in [
            (vec!["mysqld", "--password", "hunter2", "--verbose"], vec!["mysqld", "--password", HIDDEN, "--verbose"]),
            (vec!["--token", "--verbose"], vec!["--token", "--verbose"]),
            (vec!["--password", "-hunter2", "x"], vec!["--password", HIDDEN, "x"]),
            (vec!["--auth-token=ab&cd", "x"], vec!["--auth-token=(secret)", "x"]),
            (vec!["PASSWORD='hun ter2'"], vec!["PASSWORD=(secret)"]),
            (vec!["X-Auth-Token: hun ter2"], vec!["X-Auth-Token: (secret)"]),
            (vec!["sh", "-c", "x --password='a b' y"], vec!["sh", "-c", "x --password=(secret)"]),
            (vec!["MODE=fast", "PASSWORD="], vec!["MODE=fast", "PASSWORD="]),
        ] {
            assert_eq!(redact_argv(argv), shown);
        }
    }

    proptest! {
        #[test]
        fn no_password_is_shown_whatever_is_in_it(password in "[a-zA-Z0-9&;#/?@:=|,._+*~$(){}<>!%^ä][ -~ä]{5,20}") {
            let quoted = shlex::try_quote(&password).unwrap();
            let header = format!("X-Auth-Token: {password}");
            for text in [
                format!("PASSWORD={quoted} cmd"),
                format!("mysql --password={quoted} -e x"),
                format!("mysqladmin --password {quoted} ping"),
                format!("curl -H {} a://h", shlex::try_quote(&header).unwrap()),
                format!("{{\"password\": {}}}", serde_json::Value::from(password.clone())),
            ] {
                let shown = redact(&text);
                prop_assert!(!shown.contains(&password), "{text} is shown as {shown}");
            }
            let shown = redact_argv(["--password", &password, &format!("--token={password}"), &header]).join(" ");
            prop_assert!(!shown.contains(&password), "{shown}");
            let word = password.replace(' ', "");
            let url = format!("run mysql://u:{word}@h:1/x");
            prop_assert!(word.len() < 6 || !redact(&url).contains(&word), "{url} is shown as {}", redact(&url));
        }
    }
}
