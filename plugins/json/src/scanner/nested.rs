//! Values in values: checked and gone past, with the open containers kept as bits.

use super::{Failed, Scanner};

/// How deep values may nest: a bit each.
const DEPTH_MAX: u32 = 128;

impl Scanner<'_> {
    /// Checks a nested value. The place behind it.
    #[inline(never)]
    pub(super) fn nested(mut self) -> Result<usize, Failed> {
        let mut open = Open::default();
        loop {
            match self.next_sign() {
                Some(b'{') => {
                    self.step();
                    if self.first_field()? {
                        self.push(&mut open, Container::Object)?;
                        self.nested_name()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.step();
                    if self.next_sign() != Some(b']') {
                        self.push(&mut open, Container::Array)?;
                        continue;
                    }
                    self.step();
                }
                Some(b'"') => self.skip_string()?,
                _ => self.skip_scalar()?,
            }
            if !self.close(&mut open)? {
                return Ok(self.at);
            }
        }
    }

    fn push(&mut self, open: &mut Open, container: Container) -> Result<(), Failed> {
        open.push(container).ok_or_else(|| self.fail("nested too deep"))
    }

    /// After a nested value: closes what ends here. Whether another value follows.
    fn close(&mut self, open: &mut Open) -> Result<bool, Failed> {
        while let Some(container) = open.innermost() {
            let more = match container {
                Container::Object => self.next_field()?,
                Container::Array => self.next_element()?,
            };
            if more {
                if container == Container::Object {
                    self.nested_name()?;
                }
                return Ok(true);
            }
            open.pop();
        }
        Ok(false)
    }

    fn skip_string(&mut self) -> Result<(), Failed> {
        self.string(None).map(|_| ())
    }

    fn skip_scalar(&mut self) -> Result<(), Failed> {
        self.scalar().map(|_| ())
    }

    fn next_element(&mut self) -> Result<bool, Failed> {
        let more = match self.next_sign() {
            Some(b',') => true,
            Some(b']') => false,
            _ => return Err(self.fail("expected `,` or `]` after an element")),
        };
        self.step();
        Ok(more)
    }

    fn nested_name(&mut self) -> Result<(), Failed> {
        self.skip_string()?;
        match self.next_sign() {
            Some(b':') => self.step(),
            _ => return Err(self.fail("expected `:` after the name of a field")),
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

/// The containers that are open, a bit each, the innermost lowest.
#[derive(Debug, Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, container: Container) -> Option<()> {
        self.depth = (self.depth < DEPTH_MAX).then_some(self.depth + 1)?;
        self.objects = self.objects << 1 | u128::from(container == Container::Object);
        Some(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    fn innermost(&self) -> Option<Container> {
        match (self.depth, self.objects & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            _ => Some(Container::Object),
        }
    }
}
