//! The words of a command: never a text for a shell, and each value in the word of its flag.

use std::fmt::Display;

/// The words of a command, after the name of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn new<const N: usize>(words: [&str; N]) -> Self {
        Self(words.map(str::to_owned).into())
    }

    /// With one word more.
    pub(super) fn word(mut self, word: impl Display) -> Self {
        self.0.push(word.to_string());
        self
    }

    /// With more words.
    pub(super) fn words(mut self, words: impl IntoIterator<Item: Display>) -> Self {
        self.add(words);
        self
    }

    /// With `--flag=value`, where there is a value.
    pub(super) fn flag(mut self, flag: &str, value: Option<impl Display>) -> Self {
        self.state(flag, value);
        self
    }

    /// With `--flag=value` for each value.
    pub(super) fn flags(self, flag: &str, values: impl IntoIterator<Item: Display>) -> Self {
        values.into_iter().fold(self, |words, value| words.flag(flag, Some(value)))
    }

    pub(super) fn add(&mut self, words: impl IntoIterator<Item: Display>) {
        self.0.extend(words.into_iter().map(|word| word.to_string()));
    }

    pub(super) fn state(&mut self, flag: &str, value: Option<impl Display>) {
        self.0.extend(value.map(|value| format!("--{flag}={value}")));
    }

    pub(super) fn state_each(&mut self, flag: &str, values: impl IntoIterator<Item: Display>) {
        for value in values {
            self.state(flag, Some(value));
        }
    }

    pub(super) fn as_slice(&self) -> &[String] {
        &self.0
    }
}
