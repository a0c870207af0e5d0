//! Fixed-width, big-endian fields, read without trusting any length.

/// The bytes end early, or a field has a value that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct CodecError(pub &'static str);

/// Takes fields off the front of a slice.
#[derive(Debug)]
pub struct FieldReader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> FieldReader<'a> {
    /// Reads `bytes`; `what` names them in errors.
    pub const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, what }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(CodecError(self.what))?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(CodecError(self.what))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// A byte.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        self.array().map(u8::from_be_bytes)
    }

    /// An unsigned 16-bit field.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_be_bytes)
    }

    /// An unsigned 32-bit field.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    /// An unsigned 64-bit field.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A signed 16-bit field.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn i16(&mut self) -> Result<i16, CodecError> {
        self.array().map(i16::from_be_bytes)
    }

    /// A signed 32-bit field.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn i32(&mut self) -> Result<i32, CodecError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A signed 64-bit field.
    ///
    /// # Errors
    /// When the bytes end early.
    pub fn i64(&mut self) -> Result<i64, CodecError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Bytes behind a two-byte length.
    pub fn short_bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.u16()?;
        self.slice(usize::from(length))
    }

    /// Text behind a two-byte length.
    pub fn short_text(&mut self) -> Result<String, CodecError> {
        let bytes = self.short_bytes()?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_utf8| CodecError(self.what))
    }

    /// Ends the reading: bytes that are left over make it malformed.
    pub const fn end(self) -> Result<(), CodecError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(CodecError(self.what)) }
    }
}

/// Appends bytes behind a two-byte length.
pub fn put_short_bytes(target: &mut Vec<u8>, bytes: &[u8]) -> Result<(), CodecError> {
    let length =
        u16::try_from(bytes.len()).map_err(|_length| CodecError("field longer than 65,535 bytes"))?;
    target.extend_from_slice(&length.to_be_bytes());
    target.extend_from_slice(bytes);
    Ok(())
}
