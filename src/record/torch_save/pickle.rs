//! The pickle of a state dict, on a machine of its own: opcodes in, dictionaries and tensors out.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

use super::tensor::{SavedTensor, Storage};

/// Letters of a class's or storage's name, and axes of a tensor, at most.
const LONGEST_NAME: usize = 200;
const MOST_AXES: usize = 16;

/// What a pickle builds. Children are indices of [`Pickle::objects`], so that sharing and cycles cost nothing.
#[derive(Clone, Debug)]
enum Object {
    /// `None`, truth values, lists, and everything that plays no part in a state dict.
    Other,
    Int(i64),
    Text(String),
    /// A class or function, as `module.name`.
    Global(String),
    Tuple(Vec<usize>),
    Dictionary(Vec<(usize, usize)>),
    Storage(Storage),
    Tensor(SavedTensor),
}

/// The objects of a pickle; the last one on its stack is the one that was saved.
#[derive(Default)]
pub struct Pickle {
    objects: Vec<Object>,
    stack: Vec<usize>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, usize>,
}

impl Pickle {
    /// Runs the opcodes of protocols 2 to 5 that saving dictionaries of tensors uses.
    pub fn read(mut rest: &[u8]) -> Result<Self> {
        let mut pickle = Self::default();
        let bytes = &mut rest;
        loop {
            match take::<1>(bytes)?[0] {
                b'.' => return Ok(pickle),
                0x80 => _ = take::<1>(bytes)?,
                0x95 => _ = take::<8>(bytes)?,
                b'(' => pickle.marks.push(pickle.stack.len()),
                b'N' | 0x88 | 0x89 | b']' => pickle.push(Object::Other),
                b'}' => pickle.push(Object::Dictionary(Vec::new())),
                b')' => pickle.push(Object::Tuple(Vec::new())),
                b'K' => pickle.push(Object::Int(take::<1>(bytes)?[0].into())),
                b'M' => pickle.push(Object::Int(u16::from_le_bytes(take(bytes)?).into())),
                b'J' => pickle.push(Object::Int(i32::from_le_bytes(take(bytes)?).into())),
                b'G' => {
                    take::<8>(bytes)?;
                    pickle.push(Object::Other);
                }
                0x8a => {
                    let length = take::<1>(bytes)?[0].into();
                    pickle.push(long(slice(bytes, length)?));
                }
                b'X' => {
                    let length = u32::from_le_bytes(take(bytes)?) as usize;
                    pickle.push(text(slice(bytes, length)?)?);
                }
                0x8c => {
                    let length = take::<1>(bytes)?[0].into();
                    pickle.push(text(slice(bytes, length)?)?);
                }
                b'c' => {
                    let name = format!("{}.{}", line(bytes)?, line(bytes)?);
                    pickle.push(Object::Global(name));
                }
                0x93 => pickle.global()?,
                b't' => {
                    let items = pickle.since_mark()?;
                    pickle.push(Object::Tuple(items));
                }
                code @ 0x85..=0x87 => {
                    let mut items = (0x84..code).map(|_| pickle.pop()).collect::<Result<Vec<_>>>()?;
                    items.reverse();
                    pickle.push(Object::Tuple(items));
                }
                b'q' => pickle.memoize(take::<1>(bytes)?[0].into())?,
                b'r' => pickle.memoize(u32::from_le_bytes(take(bytes)?))?,
                0x94 => pickle.memoize(pickle.memo.len() as u32)?,
                b'h' => pickle.recall(take::<1>(bytes)?[0].into())?,
                b'j' => pickle.recall(u32::from_le_bytes(take(bytes)?))?,
                b's' => {
                    let (value, key) = (pickle.pop()?, pickle.pop()?);
                    pickle.insert(&[key, value])?;
                }
                b'u' => {
                    let items = pickle.since_mark()?;
                    pickle.insert(&items)?;
                }
                // Lists play no part: what is appended is dropped.
                b'a' | b'b' => _ = pickle.pop()?,
                b'e' => _ = pickle.since_mark()?,
                b'Q' => pickle.storage()?,
                b'R' | 0x81 => pickle.call()?,
                code => bail!("its pickle has the opcode {code:#04x}, which a state dict does not need"),
            }
        }
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn pop(&mut self) -> Result<usize> {
        let floor = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() > floor, "its pickle takes more than it has");
        Ok(self.stack.pop().expect("checked"))
    }

    fn since_mark(&mut self) -> Result<Vec<usize>> {
        let mark = self.marks.pop().context("its pickle closes what it has not opened")?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<usize> {
        self.stack.last().copied().context("its pickle takes more than it has")
    }

    fn memoize(&mut self, key: u32) -> Result<()> {
        self.memo.insert(key, self.top()?);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        self.stack.push(*self.memo.get(&key).context("its pickle recalls what it has not seen")?);
        Ok(())
    }

    fn insert(&mut self, items: &[usize]) -> Result<()> {
        let target = self.top()?;
        if let Object::Dictionary(entries) = &mut self.objects[target] {
            entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    /// A class or function of two strings.
    fn global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Object::Text(module), Object::Text(name)) = (&self.objects[module], &self.objects[name]) else {
            bail!("its pickle names a class by no name");
        };
        ensure!(
            module.len() + name.len() <= LONGEST_NAME,
            "its pickle names a class by more than {LONGEST_NAME} letters"
        );
        self.push(Object::Global(format!("{module}.{name}")));
        Ok(())
    }

    /// A reference to a storage: `("storage", class, key, device, length)`.
    fn storage(&mut self) -> Result<()> {
        let reference = self.pop()?;
        let object = match &self.tuple(reference)[..] {
            [_, Object::Global(class), Object::Text(key), ..] if class.len() + key.len() <= LONGEST_NAME => {
                Object::Storage(Storage { class: class.clone(), key: key.clone() })
            }
            _ => bail!("its pickle refers to something that is not a storage"),
        };
        self.push(object);
        Ok(())
    }

    /// A function call: those that make dictionaries and tensors are understood.
    fn call(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let name = match &self.objects[function] {
            Object::Global(name) => name.as_str(),
            _ => "",
        };
        let object = match (name, &self.tuple(arguments)[..]) {
            ("collections.OrderedDict", _) => Object::Dictionary(Vec::new()),
            ("torch._utils._rebuild_parameter", [Object::Tensor(tensor), ..]) => Object::Tensor(tensor.clone()),
            (
                "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor",
                [Object::Storage(storage), Object::Int(offset), Object::Tuple(shape), Object::Tuple(strides), ..],
            ) => Object::Tensor(SavedTensor {
                storage: storage.clone(),
                offset: size(*offset)?,
                shape: self.sizes(shape)?,
                strides: self.sizes(strides)?,
            }),
            _ => Object::Other,
        };
        self.push(object);
        Ok(())
    }

    /// The first items of a tuple, as many as calls need; none of anything else.
    fn tuple(&self, at: usize) -> Vec<&Object> {
        match &self.objects[at] {
            Object::Tuple(items) => items.iter().take(8).map(|&item| &self.objects[item]).collect(),
            _ => Vec::new(),
        }
    }

    fn sizes(&self, items: &[usize]) -> Result<Vec<usize>> {
        ensure!(items.len() <= MOST_AXES, "its pickle has a tensor of more than {MOST_AXES} axes");
        let item = |&item: &usize| match self.objects[item] {
            Object::Int(value) => size(value),
            _ => bail!("its pickle gives a shape that is not a number"),
        };
        items.iter().map(item).collect()
    }

    /// Tensors by name.
    pub fn state_dict(&self) -> Result<Vec<(&str, &SavedTensor)>> {
        let root = self.entries(self.top()?).context("what it holds is no dictionary")?;
        let nested = root.iter().find(|(name, _)| *name == "model_state_dict").and_then(|&(_, at)| self.entries(at));
        let tensors = nested.unwrap_or(root).into_iter().filter_map(|(name, at)| match &self.objects[at] {
            Object::Tensor(tensor) => Some((name, tensor)),
            _ => None,
        });
        let tensors: Vec<_> = tensors.collect();
        ensure!(!tensors.is_empty(), "there are no tensors in it");
        Ok(tensors)
    }

    fn entries(&self, at: usize) -> Option<Vec<(&str, usize)>> {
        let Object::Dictionary(entries) = &self.objects[at] else { return None };
        let named = entries.iter().filter_map(|&(key, value)| match &self.objects[key] {
            Object::Text(name) => Some((name.as_str(), value)),
            _ => None,
        });
        Some(named.collect())
    }
}

fn slice<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length).context("its pickle ends early")?;
    *bytes = rest;
    Ok(taken)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    Ok(slice(bytes, N)?.try_into().expect("N bytes"))
}

fn line(bytes: &mut &[u8]) -> Result<String> {
    let end = bytes.iter().position(|&byte| byte == b'\n').context("its pickle ends early")?;
    let line = String::from_utf8(slice(bytes, end)?.to_vec())?;
    slice(bytes, 1)?;
    Ok(line)
}

fn text(bytes: &[u8]) -> Result<Object> {
    Ok(Object::Text(String::from_utf8(bytes.to_vec())?))
}

/// A little-endian integer in two's complement; one beyond 64 bits plays no part.
fn long(bytes: &[u8]) -> Object {
    if bytes.len() > 8 {
        return Object::Other;
    }
    let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut word = [sign; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    Object::Int(i64::from_le_bytes(word))
}

fn size(value: i64) -> Result<usize> {
    usize::try_from(value).context("its pickle gives a negative size")
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::Path};

    use zip::ZipArchive;

    use super::{super::bytes, *};

    #[test]
    fn every_beginning_of_a_pickle_is_an_error() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/final_model.pt");
        let mut archive = ZipArchive::new(File::open(file).unwrap()).unwrap();
        let pickle = bytes(&mut archive, "final_model/data.pkl").unwrap();
        assert!(Pickle::read(&pickle).unwrap().state_dict().is_ok());
        for end in 0..pickle.len() - 1 {
            assert!(Pickle::read(&pickle[..end]).is_err());
        }
    }
}
