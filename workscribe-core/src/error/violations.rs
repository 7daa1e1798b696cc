//! What is wrong with the fields of an input, and the collection of it for one answer.

use std::borrow::Cow;

use super::Error;

/// One error in one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body, or `/query/…` for a query parameter.
    pub pointer: String,
    /// What is wrong, for programs: `TOO_SHORT`, `REQUIRED`, …
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

/// The maximum number of errors in one answer. A body of 1 MiB can have hundreds of thousands, and an answer must not be many
/// times as large as its request.
pub const MAX_FAULTS: usize = 100;

/// Collects the errors of an input, so that a caller sees all of them at once, up to [`MAX_FAULTS`].
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldError>);

impl Violations {
    /// Adds an error. After [`MAX_FAULTS`] errors it drops further ones.
    pub fn add(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(FieldError { pointer: pointer.into(), code, message: message.into() });
        }
    }

    /// Returns the value of a check, or adds its fault under `pointer`.
    pub fn keep<T>(&mut self, pointer: &str, checked: Result<T, Fault>) -> Option<T> {
        checked.map_err(|Fault { code, message }| self.add(pointer, code, message)).ok()
    }

    /// The values that [`Violations::keep`] returned. All of them exist when no error was added.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` with all errors, when there is one.
    pub fn into_values<T: Kept>(self, values: T) -> Result<T::Values, Error> {
        self.into_result()?;
        values.values().ok_or_else(|| Error::internal("a fault was not noted"))
    }

    /// # Errors
    /// `VALIDATION_FAILED` with all errors, when there is one.
    pub fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid(self.0)) }
    }
}

/// The results of checks: one value or several, each of which exists unless an error was added.
pub trait Kept {
    /// The values.
    type Values;

    /// The values, if all of them exist.
    fn values(self) -> Option<Self::Values>;
}

impl<T> Kept for Option<T> {
    type Values = T;

    fn values(self) -> Option<T> {
        self
    }
}

impl<A, B> Kept for (Option<A>, Option<B>) {
    type Values = (A, B);

    fn values(self) -> Option<(A, B)> {
        self.0.zip(self.1)
    }
}

/// Why a value is invalid, before its field is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code, for programs.
    pub code: &'static str,
    /// The sentence, for people.
    pub message: Cow<'static, str>,
}

impl Fault {
    /// A fault with its code and its sentence.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_a_hundred_faults_at_the_most() {
        let mut violations = Violations::default();
        for index in 0..100_000 {
            violations.add(format!("/updates/{index}"), "REQUIRED", "This field is required.");
        }
        let error = violations.into_result().unwrap_err();
        assert_eq!(error.fields().len(), MAX_FAULTS);
        assert!(error.detail().starts_with("100 fields or more"), "{}", error.detail());
    }
}
