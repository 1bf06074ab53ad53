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

/// `text` without what is secret in it: in a script, in an error message, in JSON, in YAML. Hidden are
///
/// - the word after `NAME=`, and after a secret flag: up to white space, quotes honoured,
/// - the value after `"name":`, after `NAME:`, and a quoted one after `name:`,
/// - what stands between the user and the last `@` of a URL.
///
/// Where a text can be read in two ways, the one that hides more is taken. One pass, linear in time.
pub(crate) fn redact(text: &str) -> String {
    let mut scan = Scan { text, at: 0, copied: 0, shown: String::with_capacity(text.len()), open: Vec::new(), url: 0 };
    while let Some(byte) = scan.byte(scan.at) {
        if is_name_byte(byte) {
            scan.name();
        } else if byte == b':' && scan.slice(scan.at, scan.at + 3) == "://" {
            scan.url();
        } else {
            if is_mark(byte) {
                scan.quote(byte);
            }
            scan.at += 1;
        }
    }
    scan.shown.push_str(scan.slice(scan.copied, text.len()));
    scan.shown
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/')
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// A quote that was opened by `mark` behind `escapes` backslashes: `\"` is a quote in a quoted text.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Quote {
    mark: u8,
    escapes: usize,
    /// A backslash in it means itself, as between the single quotes of a shell.
    raw: bool,
}

impl Quote {
    fn in_shell(mark: u8, escapes: usize) -> Self {
        Self { mark, escapes, raw: mark == b'\'' }
    }

    /// Whether `mark` behind `escapes` backslashes closes it; `\\"` closes `"`, and `\"` does not.
    fn ends_at(self, mark: u8, escapes: usize) -> bool {
        mark == self.mark && (self.raw || escapes % (2 * (self.escapes + 1)) == self.escapes)
    }
}

/// A walk through a text. All places are those of ASCII bytes, so that each is a boundary of characters.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// What is before this place has been shown or hidden.
    copied: usize,
    shown: String,
    /// The quotes that are open at `at`, as far as a text that need not be a script lets us know.
    open: Vec<Quote>,
    /// Up to this place, URLs have been looked at.
    url: usize,
}

impl<'a> Scan<'a> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn hide(&mut self, start: usize, end: usize) {
        if start < end {
            self.shown.push_str(self.slice(self.copied, start));
            self.shown.push_str(HIDDEN);
            (self.copied, self.at) = (end, end);
        }
    }

    /// A name, and the value that it names.
    fn name(&mut self) {
        let start = self.at;
        while self.byte(self.at).is_some_and(is_name_byte) {
            self.at += 1;
        }
        let mut word = self.slice(start, self.at);
        // In a text that is shown with its escapes, the `n` of `\n` is no part of the name.
        if self.escapes_before(start) > 0
            && let Some(name) = word.strip_prefix(['n', 'r', 't'])
            && is_secret_word(name)
        {
            word = name;
        } else if !is_secret_word(word) {
            return;
        }
        let before = start.checked_sub(1).and_then(|at| Some((at, self.byte(at).filter(|byte| is_mark(*byte))?)));
        let quote = before.map(|(at, mark)| Quote::in_shell(mark, self.escapes_before(at)));
        let closed = quote.and_then(|quote| self.after_mark(self.at, quote));
        // A quote that is opened right before the name and not closed right after it holds the value too.
        let within = quote.filter(|_| closed.is_none());
        let end = closed.unwrap_or(self.at);
        if let Some(value) = self.assigned(end) {
            self.hide(value, self.word_end(value, within));
        } else if let Some(value) = self.stated(end) {
            let is_spaced = self.slice(end, value).ends_with(|c: char| c != ':');
            let is_upper =
                word.bytes().any(|b| b.is_ascii_uppercase()) && !word.bytes().any(|b| b.is_ascii_lowercase());
            if closed.is_some() {
                self.hide(value, self.datum_end(value, true));
            } else if (within.is_some() && is_spaced) || (is_upper && !is_spaced) {
                self.hide(value, self.word_end(value, within));
            } else if is_upper || self.byte(self.skip(value, |b| b == b'\\')).is_some_and(is_mark) {
                self.hide(value, self.datum_end(value, false));
            }
        } else if word.starts_with('-')
            && let Some(value) = self.argument(end, closed.is_some())
        {
            self.hide(value, self.word_end(value, None));
        }
    }

    /// Where the value begins when an assignment follows: `=`, `+=`, `:=`, `]=`, or one of them between spaces.
    fn assigned(&self, end: usize) -> Option<usize> {
        let bare = end + usize::from(self.byte(end) == Some(b']'));
        let spaced = self.skip(bare, |byte| byte.is_ascii_whitespace());
        let sign = spaced + usize::from(matches!(self.byte(spaced), Some(b'+' | b':')));
        let value = if self.byte(sign)? == b'=' { sign + 1 } else { return None };
        let is_spaced = spaced > bare;
        Some(if is_spaced { self.skip(value, |b| matches!(b, b'=' | b'>') || b.is_ascii_whitespace()) } else { value })
    }

    /// Where the value begins when a colon follows.
    fn stated(&self, end: usize) -> Option<usize> {
        let colon = self.skip(end, |byte| byte.is_ascii_whitespace());
        (self.byte(colon)? == b':').then(|| self.skip(colon + 1, |byte| byte.is_ascii_whitespace()))
    }

    /// Where the word after a flag begins, unless it is a flag itself.
    fn argument(&self, end: usize, is_quoted: bool) -> Option<usize> {
        let mut at = end + usize::from(is_quoted && self.byte(end) == Some(b','));
        loop {
            let word = self.skip(at, |byte| byte.is_ascii_whitespace());
            // A backslash at the end of a line, also in a text that is shown with its escapes.
            let slashes = self.skip(word, |byte| byte == b'\\');
            let line = slashes + usize::from(self.byte(slashes) == Some(b'n'));
            if slashes > word && word > end && self.byte(line).is_some_and(|byte| byte.is_ascii_whitespace()) {
                at = line;
                continue;
            }
            let first = slashes + usize::from(self.byte(slashes).is_some_and(is_mark));
            return (word > end && self.slice(first, first + 2) != "--").then_some(word);
        }
    }

    /// `user:password@` after `://`. What follows up to the last `@` of the word belongs to it, since a
    /// password has any character in it, except behind an address, as in `http://192.0.2.1:80/a@b`.
    fn url(&mut self) {
        let after = self.at + 3;
        self.at = after;
        if after <= self.url {
            return;
        }
        self.url = self.word_end(after, None);
        let Some((userinfo, _)) = self.slice(after, self.url).rsplit_once('@') else { return };
        let Some((user, password)) = userinfo.split_once(':') else { return };
        if password.is_empty() {
            return;
        }
        if let Some((authority, path)) = userinfo.split_once(['/', '?', '#']) {
            let is_address = authority.parse::<std::net::SocketAddr>().is_ok()
                || authority.strip_prefix("localhost:").is_some_and(|port| port.parse::<u16>().is_ok());
            if is_address && !path.contains(':') {
                return;
            }
        }
        self.shown.push_str(self.slice(self.copied, after));
        self.shown.push_str(&redact(user));
        self.copied = after + user.len() + 1;
        self.shown.push(':');
        self.hide(self.copied, after + userinfo.len());
    }

    /// A quote in the text between values.
    fn quote(&mut self, mark: u8) {
        let escapes = self.escapes_before(self.at);
        if let Some(index) = self.open.iter().rposition(|quote| quote.ends_at(mark, escapes)) {
            self.open.truncate(index);
            return;
        }
        // The apostrophe in `it's` opens nothing.
        let before = (self.at - escapes).checked_sub(1).and_then(|at| self.byte(at));
        if before.is_none_or(|b| b.is_ascii_whitespace() || is_mark(b) || b"([{=,:".contains(&b)) {
            self.open.push(Quote::in_shell(mark, escapes));
        }
    }

    /// Where the word that begins at `start` ends as a shell reads it, `within` being the quote around
    /// it; the punctuation of the text around it is not part of it.
    fn word_end(&self, start: usize, within: Option<Quote>) -> usize {
        let (mut at, mut inside, mut depth, mut escapes, mut solid) = (start, within, 0_usize, 0, start);
        loop {
            if let Some(quote) = inside.take() {
                let Some(end) = self.section_end(at, quote) else { return self.text.len() };
                at = end + 1;
                solid = at;
                if depth == 0 && self.is_boundary(at) {
                    return if within == Some(quote) { end - quote.escapes } else { at };
                }
            }
            match self.byte(at) {
                None => break,
                Some(b'\\') => escapes += 1,
                Some(mark) if is_mark(mark) => {
                    if depth == 0 && self.is_end(mark, escapes, at) {
                        at -= escapes;
                        break;
                    }
                    // `\'` is an apostrophe; `\"` is that or a quote in a quoted text.
                    if mark != b'\'' || escapes == 0 {
                        inside = Some(Quote::in_shell(mark, escapes));
                    }
                }
                Some(b'(' | b'{') if depth > 0 || at.checked_sub(1).and_then(|at| self.byte(at)) == Some(b'$') => {
                    depth += 1
                }
                Some(b')' | b'}') if depth > 0 => {
                    depth -= 1;
                    solid = at + 1;
                }
                Some(byte) if byte.is_ascii_whitespace() && depth == 0 && escapes == 0 => break,
                Some(_) => {}
            }
            if self.byte(at) != Some(b'\\') {
                escapes = 0;
            }
            at += 1;
        }
        let loose = self.slice(solid, at);
        let kept = loose.trim_end_matches([',', ';', '&', '|', ']', '}', ':']).len();
        match (solid == start && kept == 0, loose.len()) {
            // No value, but `&&` or `;`.
            (true, 0..=2) => start,
            (true, _) => at,
            (false, _) => solid + kept,
        }
    }

    /// Where the value that begins at `start` ends as JSON or YAML: in a `flow`, a plain one ends at a comma.
    fn datum_end(&self, start: usize, flow: bool) -> usize {
        let (mut at, mut depth, mut escapes) = (start, 0_usize, 0);
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' => escapes += 1,
                mark if is_mark(mark) && (depth > 0 || at - escapes == start) => {
                    let quote = Quote { mark, escapes, raw: false };
                    let Some(end) = self.section_end(at + 1, quote) else { return self.text.len() };
                    at = end;
                    if depth == 0 && self.byte(at + 1) != Some(mark) {
                        return at + 1;
                    }
                }
                mark if is_mark(mark) && self.is_end(mark, escapes, at) => return at - escapes,
                b'{' | b'[' if depth > 0 || at == start => depth += 1,
                b'}' | b']' if depth == 1 => return at + 1,
                b'}' | b']' if depth > 0 => depth -= 1,
                b',' | b'}' | b']' if flow && depth == 0 => return at,
                // The text is in the lines that follow.
                b'|' | b'>' if at == start => return self.text.len(),
                b'\n' if depth == 0 => return at,
                _ => {}
            }
            if byte != b'\\' {
                escapes = 0;
            }
            at += 1;
        }
        at
    }

    /// The place of the mark that closes `quote`.
    fn section_end(&self, start: usize, quote: Quote) -> Option<usize> {
        let mut escapes = 0;
        for (index, byte) in self.text.as_bytes().get(start..)?.iter().enumerate() {
            if quote.ends_at(*byte, escapes) {
                return Some(start + index);
            }
            escapes = if *byte == b'\\' { escapes + 1 } else { 0 };
        }
        None
    }

    /// Whether the mark at `at` closes a quote around the value rather than opens one in it.
    fn is_end(&self, mark: u8, escapes: usize, at: usize) -> bool {
        self.is_boundary(at + 1) && self.open.iter().any(|quote| quote.ends_at(mark, escapes))
    }

    /// Whether a word ends at `at` when a quote was closed before it.
    fn is_boundary(&self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| byte.is_ascii_whitespace() || b";&|),:]}".contains(&byte))
    }

    /// The place behind the mark that closes `quote`, if that is what stands at `at`.
    fn after_mark(&self, at: usize, quote: Quote) -> Option<usize> {
        let mark = at + quote.escapes;
        let is_escaped = self.slice(at, mark).bytes().all(|byte| byte == b'\\');
        (is_escaped && self.byte(mark)? == quote.mark).then_some(mark + 1)
    }

    fn escapes_before(&self, at: usize) -> usize {
        self.text.as_bytes().get(..at).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count()
    }

    fn skip(&self, at: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| is_skipped(**byte)).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

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
    fn harmless_text_stays_as_it_is() {
        for text in [
            "",
            "MODE=fast",
            "http://192.0.2.1:80/a@b",
            "http://[2001:db8::1]:80/a@b",
            "http://localhost:8080/a@b",
            "http://192.0.2.1:80/ a@b:c",
            "healthcheck_curl http://192.0.2.11:5000/healthcheck",
            "a://u@h",
            "a://u:@h",
            "PASSWORD=",
            "TOKEN=; run",
            "PASSWORD= && run",
            "--password; run",
            "mysqladmin --password && run",
            "mysqladmin --password --verbose ping",
            "security.cap_add: no capability",
            "token: expected a text",
            "environment[API_KEY]: this is a number, here goes a text",
            "it's a key, isn't it",
            "quay.io/kolla/nova-api:2026.1@sha256:00ff",
            "übergrößenträger 'ä' \\",
            "/run/secrets/token",
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
            ("mysql://u:ab&cd@h", "mysql://u:(secret)@h"),
            ("mysql://root:a;b@h", "mysql://root:(secret)@h"),
            ("amqp://o:p#ss@h", "amqp://o:(secret)@h"),
            ("amqp://o:p/ss@h", "amqp://o:(secret)@h"),
            ("amqp://o:p?ss@h", "amqp://o:(secret)@h"),
            ("amqp://o:12345/ss@h", "amqp://o:(secret)@h"),
            ("amqp://o:x://ss@h", "amqp://o:(secret)@h"),
            ("amqp://:hunter2@h", "amqp://:(secret)@h"),
            ("rabbit://u:p1@h1:5672,u:p2@h2:5672//", "rabbit://u:(secret)@h2:5672//"),
            ("http://192.0.2.1:80/,mysql://u:p@h", "http://192.0.2.1:(secret)@h"),
            ("'a://u:p@h', \"b://v:q@i\" x@y", "'a://u:(secret)@h', \"b://v:(secret)@i\" x@y"),
            (r#"{"a":"a://u:p@h","b":"x@y"}"#, r#"{"a":"a://u:(secret)@h","b":"x@y"}"#),
            ("a://h/?token=abc:q@h", "a://h/?token=(secret):(secret)@h"),
            ("a://h/?token=abc", "a://h/?token=(secret)"),
            ("x 'a://u:it'\"'\"'s@h' y", "x 'a://u:(secret)@h' y"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn a_script_hides_the_words_that_are_secret() {
        for (text, shown) in [
            ("DB_PASSWORD=hunter2 exec 'run'; TOKEN=abc", "DB_PASSWORD=(secret) exec 'run'; TOKEN=(secret)"),
            ("PASSWORD='hun ter2' cmd", "PASSWORD=(secret) cmd"),
            ("PASSWORD='hun'\\''t er2' cmd", "PASSWORD=(secret) cmd"),
            ("PASSWORD=hun\\ ter2 cmd", "PASSWORD=(secret) cmd"),
            ("PASSWORD=\"a\\\"b c\" cmd", "PASSWORD=(secret) cmd"),
            ("PASSWORD='ab\\' TOKEN='cd ef' cmd", "PASSWORD=(secret) TOKEN=(secret) cmd"),
            ("TOKEN=$(echo hunter2) cmd", "TOKEN=(secret) cmd"),
            ("TOKEN=`echo hunter2` cmd", "TOKEN=(secret) cmd"),
            ("TOKEN=${X:-hun ter2} cmd", "TOKEN=(secret) cmd"),
            ("TOKEN=abc; run", "TOKEN=(secret); run"),
            ("TOKEN='a b'; run", "TOKEN=(secret); run"),
            ("TOKEN='abc", "TOKEN=(secret)"),
            ("PASSWORD=ab&cd;ef run", "PASSWORD=(secret) run"),
            ("cmd --password \"a b\" x", "cmd --password (secret) x"),
            ("mysql --password hunter2 -e x", "mysql --password (secret) -e x"),
            ("mysql --password -hunter2 -e x", "mysql --password (secret) -e x"),
            ("mysql --password \\\n  hunter2 -e x", "mysql --password \\\n  (secret) -e x"),
            ("mysqladmin --password hunter2 ping", "mysqladmin --password (secret) ping"),
            ("docker run -e DB_PASSWORD=hunter2 x", "docker run -e DB_PASSWORD=(secret) x"),
            ("docker run -ePASSWORD=hunter2 x", "docker run -ePASSWORD=(secret) x"),
            ("docker run -e 'DB_PASSWORD=hun ter2' x", "docker run -e 'DB_PASSWORD=(secret)' x"),
            ("sh -c \"run PASSWORD=hunter2\" x", "sh -c \"run PASSWORD=(secret)\" x"),
            ("sh -c 'mysql --password='\"$P\"' -e x'", "sh -c 'mysql --password=(secret) -e x'"),
            ("curl -H 'X-Auth-Token: hun ter2' a://h", "curl -H 'X-Auth-Token: (secret)' a://h"),
            ("[\"--password\", \"hun ter2\", \"x\"]", "[\"--password\", (secret), \"x\"]"),
            ("[\"PASSWORD=hun ter2\", \"x\"]", "[\"PASSWORD=(secret)\", \"x\"]"),
            ("`run PASSWORD=hunter2` is wrong", "`run PASSWORD=(secret)` is wrong"),
            ("env[DB_PASSWORD=(secret)]: wrong", "env[DB_PASSWORD=(secret)]: wrong"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn json_and_yaml_hide_the_values_of_secret_names() {
        for (text, shown) in [
            (r#"{"password": "hun, ter2", "x": 1}"#, r#"{"password": (secret), "x": 1}"#),
            (r#"{"password":"hun\"t er2","x":1}"#, r#"{"password":(secret),"x":1}"#),
            (r#"{\"DB_PASSWORD\":\"hunter2\"}"#, r#"{\"DB_PASSWORD\":(secret)}"#),
            (r"{'password': 'it\'s x', 'x': 1}", r"{'password': (secret), 'x': 1}"),
            (r#"{"password": 123456, "x": 1}"#, r#"{"password": (secret), "x": 1}"#),
            (r#"{"keys": ["a", ["b]"]], "x": 1}"#, r#"{"keys": (secret), "x": 1}"#),
            (r#"{"auth": {"x": "hunter2"}}"#, r#"{"auth": (secret)}"#),
            (r#""password" => "hun ter2" x"#, r#""password" => (secret) x"#),
            ("DB_PASSWORD: hun ter2\nMODE: fast", "DB_PASSWORD: (secret)\nMODE: fast"),
            ("PASSWORD: |\n  hunter2\n", "PASSWORD: (secret)"),
            ("map[PASSWORD:hunter2 MODE:fast]", "map[PASSWORD:(secret) MODE:fast]"),
            ("Login { password: \"hun ter2\", x: 1 }", "Login { password: (secret), x: 1 }"),
            ("password = hunter2\nx = 1", "password = (secret)\nx = 1"),
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
            (vec!["--password", "hun ter2", "x"], vec!["--password", HIDDEN, "x"]),
            (vec!["--auth-token=ab&cd"], vec!["--auth-token=(secret)"]),
            (vec!["--password=two words"], vec!["--password=(secret)"]),
            (vec!["PASSWORD='hun ter2'"], vec!["PASSWORD=(secret)"]),
            (vec!["a.key=a=b"], vec!["a.key=(secret)"]),
            (vec!["X-Auth-Token: hun ter2"], vec!["X-Auth-Token: (secret)"]),
            (vec!["a://u:p@h/auth?x=y"], vec!["a://u:(secret)@h/auth?x=y"]),
            (vec!["sh", "-c", "x --password='a b' y"], vec!["sh", "-c", "x --password=(secret) y"]),
            (vec!["MODE=fast", "PASSWORD="], vec!["MODE=fast", "PASSWORD="]),
        ] {
            assert_eq!(redact_argv(argv), shown);
        }
    }

    /// Texts that make a scan run to the end from each of their places, if it forgets what it has seen.
    #[test]
    fn a_long_text_takes_no_longer_than_its_length() {
        for piece in [
            "://",
            "a://u:",
            "a://192.0.2.1:80/",
            "://192.0.2.1:80/x@y",
            "x@",
            "KEY",
            "KEY=",
            "KEY='",
            "KEY=\"",
            "--key ",
            "--key \\\n",
            "KEY:",
            "\"key\":",
            "\"key\": [",
            "\\",
            "\\\"",
            "\"",
            "'",
            " '",
            " \"\\\"'`",
            "KEY=$(",
            "KEY ",
            "key\\\\",
        ] {
            let text = piece.repeat((1 << 20) / piece.len());

            let start = Instant::now();
            redact(&text);

            assert!(start.elapsed() < Duration::from_secs(5), "{piece:?} took {:?}", start.elapsed());
        }
    }

    /// Passwords with what an unwary scan would stop at, and nothing that the mark of a secret has in it.
    fn password(alphabet: &'static str) -> impl Strategy<Value = String> {
        let alphabet: Vec<char> = alphabet.chars().collect();
        proptest::collection::vec(proptest::sample::select(alphabet), 6..24).prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60000))]

        #[test]
        fn no_password_is_shown_from_a_script(password in password("abXY09&;#/?@:=|,.-_+*~$(){}[]<>!%^\\ \t\n'\"`ä€")) {
            let quoted = shlex::try_quote(&password).unwrap();
            for text in [
                format!("PASSWORD={quoted} cmd -e x"),
                format!("export DB_PASSWORD={quoted}; cmd"),
                format!("mysql -u root --password={quoted} -e 'select 1'"),
                format!("docker run -e DB_PASSWORD={quoted} image"),
                format!("docker run -e {} image", shlex::try_quote(&format!("DB_PASSWORD={password}")).unwrap()),
            ] {
                for text in [text.clone(), format!("{text:?} is wrong")] {
                    let shown = redact(&text);
                    prop_assert!(!shown.contains(&password), "{text} is shown as {shown}");
                }
            }
            let header = format!("curl -H {} a://h", shlex::try_quote(&format!("X-Auth-Token: {password}")).unwrap());
            let shown = redact(&header);
            prop_assert!(!shown.contains(&password), "{header} is shown as {shown}");
            let password = password.replace(char::is_whitespace, "");
            let url = format!("run {} x", shlex::try_quote(&format!("mysql://u:{password}@h")).unwrap());
            let shown = redact(&url);
            prop_assert!(password.len() < 6 || !shown.contains(&password), "{url} is shown as {shown}");
            if !quoted.starts_with("--") {
                let text = format!("mysqladmin --password {quoted} ping");
                let shown = redact(&text);
                prop_assert!(!shown.contains(&password), "{text} is shown as {shown}");
            }
        }

        #[test]
        fn no_password_is_shown_from_a_command_line(password in password("abXY09&;#/?@:=|,.-_+*~$(){}[]<>!%^\\ \t\n'\"`ä€")) {
            let assigned = format!("--password={password}");
            let variable = format!("DB_PASSWORD={password}");
            let header = format!("X-Auth-Token: {password}");
            let script = format!("mysql --password={}", shlex::try_quote(&password).unwrap());
            let mut argv = vec!["sh", "-c", &script, &assigned, &variable, &header];
            if !password.starts_with("--") {
                argv.extend(["--password", &password]);
            }

            for word in redact_argv(argv.clone()) {
                prop_assert!(!word.contains(&password), "{argv:?} shows {word}");
            }
        }

        #[test]
        fn no_password_is_shown_from_a_url(password in password("abXY09&;#/?@:=|,.-_+*~$(){}[]<>!%^ä€")) {
            for text in [
                format!("mysql://root:{password}@192.0.2.1:3306/nova"),
                format!("rabbit://u:{password}@h1:5672,v:{password}@h2:5672//"),
                format!("URL=amqp://o:{password}@h run"),
                format!("dial \"amqp://o:{password}@h\": no route"),
            ] {
                let shown = redact(&text);
                prop_assert!(!shown.contains(&password), "{text} is shown as {shown}");
            }
        }

        #[test]
        fn no_password_is_shown_from_json(password in password("abXY09&;#/?@:=|,.-_+*~$(){}[]<>!%^\\ \t\n'\"`ä€")) {
            let value = serde_json::Value::from(password.clone()).to_string();
            let escaped = value.trim_matches('"');
            for text in [
                format!("{{\"password\": {value}, \"x\": 1}}"),
                format!("{{\"x\":{{\"DB_PASSWORD\":{value}}}}} is wrong"),
                format!("password: {value}\nx: 1"),
                format!("[\"PASSWORD={escaped}\", \"x\"]"),
            ] {
                for text in [text.clone(), format!("{text:?} is wrong")] {
                    let shown = redact(&text);
                    prop_assert!(!shown.contains(&password) && !shown.contains(escaped), "{text} is shown as {shown}");
                }
            }
        }
    }
}
