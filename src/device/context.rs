use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    marker::PhantomData,
    ptr::null_mut,
    sync::Mutex,
};

use super::{
    cuda::driver,
    driver::{CudaVersion, Driver, call},
};

/// Numbers as they lie in memory, so that they can be copied to a device and back.
///
/// # Safety
/// The type has no padding that is read and no pointer of the host that is followed, and any bytes make one.
pub unsafe trait Plain: Copy {}

unsafe impl Plain for f32 {}
unsafe impl Plain for f64 {}
unsafe impl Plain for u32 {}

/// A CUDA device that runs kernels of our own: its primary context, through the driver alone.
///
/// The context is the one that libtorch uses, too, and stays for as long as the process.
#[derive(Clone, Debug)]
pub struct Context {
    driver: &'static Driver,
    number: usize,
    /// `CUcontext`, as an address.
    handle: usize,
}

impl Context {
    /// Makes a device ready.
    ///
    /// # Errors
    /// There is no driver, no such device, or it cannot be used.
    pub fn open(number: usize) -> Result<Self, String> {
        static OPEN: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());
        let driver = driver()?;
        let mut open = OPEN.lock().map_err(|_| "a thread died while it opened a device".to_string())?;
        let handle = match open.get(&number) {
            Some(&handle) => handle,
            None => {
                let (mut handle, device): (*mut c_void, c_int) = (null_mut(), driver.device(number)?);
                call!(&driver.library, "cuDevicePrimaryCtxRetain"(&raw mut handle => *mut *mut c_void, device => c_int))?;
                open.insert(number, handle as usize);
                handle as usize
            }
        };
        Ok(Self { driver, number, handle })
    }

    /// Multiprocessors of the device: each runs a few blocks at a time.
    pub fn multiprocessors(&self) -> Result<usize, String> {
        self.driver.multiprocessors(self.number)
    }

    /// A kernel of a module in PTX.
    pub fn kernel(&self, ptx: &CStr, name: &CStr) -> Result<Kernel, String> {
        self.enter()?;
        let library = &self.driver.library;
        let (mut module, mut function): (*mut c_void, *mut c_void) = (null_mut(), null_mut());
        call!(library, "cuModuleLoadData"(&raw mut module => *mut *mut c_void, ptx.as_ptr() => *const c_char))?;
        call!(library, "cuModuleGetFunction"(
            &raw mut function => *mut *mut c_void, module => *mut c_void, name.as_ptr() => *const c_char
        ))?;
        Ok(Kernel { context: self.clone(), function: function as usize })
    }

    /// Memory for `count` values, not initialised.
    pub fn room<T: Plain>(&self, count: usize) -> Result<Buffer<T>, String> {
        self.enter()?;
        let mut address: u64 = 0;
        let bytes = count.max(1) * size_of::<T>();
        call!(&self.driver.library, "cuMemAlloc_v2"(&raw mut address => *mut u64, bytes => usize))
            .map_err(|reason| format!("{reason}, {:.3} GB more", bytes as f64 / 1e9))?;
        Ok(Buffer { context: self.clone(), address, count, values: PhantomData })
    }

    /// A copy of the values.
    pub fn upload<T: Plain>(&self, values: &[T]) -> Result<Buffer<T>, String> {
        let mut buffer = self.room(values.len())?;
        buffer.write(values)?;
        Ok(buffer)
    }

    /// Waits for everything that was begun.
    pub fn wait(&self) -> Result<(), String> {
        self.enter()?;
        call!(&self.driver.library, "cuCtxSynchronize"())
    }

    /// Calls of this thread go to the device from now on.
    fn enter(&self) -> Result<(), String> {
        call!(&self.driver.library, "cuCtxSetCurrent"(self.handle as *mut c_void => *mut c_void))
    }
}

/// Values in a device's memory, freed when this goes.
#[derive(Debug)]
pub struct Buffer<T> {
    context: Context,
    address: u64,
    count: usize,
    values: PhantomData<T>,
}

impl<T: Plain> Buffer<T> {
    /// Where it lies on the device.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Replaces the first values.
    ///
    /// # Errors
    /// The device fails, or there are more values than there is room.
    pub fn write(&mut self, values: &[T]) -> Result<(), String> {
        if values.len() > self.count {
            return Err(format!("{} values do not fit where {} do", values.len(), self.count));
        }
        self.context.enter()?;
        call!(&self.context.driver.library, "cuMemcpyHtoD_v2"(
            self.address => u64, values.as_ptr().cast::<c_void>() => *const c_void, size_of_val(values) => usize
        ))
    }

    /// The first `count` values, once everything that was begun is done.
    ///
    /// # Errors
    /// The device fails, or there are fewer values.
    pub fn read(&self, count: usize) -> Result<Vec<T>, String> {
        if count > self.count {
            return Err(format!("{count} values are not where {} are", self.count));
        }
        self.context.enter()?;
        let mut values = Vec::<T>::with_capacity(count);
        call!(&self.context.driver.library, "cuMemcpyDtoH_v2"(
            values.as_mut_ptr().cast::<c_void>() => *mut c_void, self.address => u64, count * size_of::<T>() => usize
        ))?;
        // SAFETY: the copy has filled them, and any bytes make a value.
        unsafe { values.set_len(count) };
        Ok(values)
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        // A device that fails here has failed before, and said so.
        let _ = self.context.enter();
        let _ = call!(&self.context.driver.library, "cuMemFree_v2"(self.address => u64));
    }
}

/// A kernel, loaded.
#[derive(Clone, Debug)]
pub struct Kernel {
    context: Context,
    /// `CUfunction`, as an address.
    function: usize,
}

impl Kernel {
    /// Begins to run it by `blocks` of `threads`. Whoever reads its results waits.
    ///
    /// # Safety
    /// `argument` is what the kernel takes, and what its addresses point to stays until the kernel is done.
    pub unsafe fn launch<A: Copy>(&self, blocks: usize, threads: usize, argument: &A) -> Result<(), String> {
        self.context.enter()?;
        let mut parameters = [std::ptr::from_ref(argument).cast_mut().cast::<c_void>()];
        call!(&self.context.driver.library, "cuLaunchKernel"(
            self.function as *mut c_void => *mut c_void,
            blocks as c_uint => c_uint, 1 => c_uint, 1 => c_uint,
            threads as c_uint => c_uint, 1 => c_uint, 1 => c_uint,
            0 => c_uint, null_mut() => *mut c_void,
            parameters.as_mut_ptr() => *mut *mut c_void, null_mut() => *mut *mut c_void
        ))
    }
}

/// Whether a device runs kernels of this compute capability, in PTX of this version of CUDA.
///
/// # Errors
/// There is no driver or no such device, or one is too old.
pub fn runs_kernels(number: usize, capability: (u32, u32), built: CudaVersion) -> Result<(), String> {
    let driver = driver()?;
    let devices = driver.devices()?;
    if number >= devices {
        return Err(format!("there are {devices} CUDA devices, numbered from 0"));
    }
    if driver.version < built {
        return Err(format!("the NVIDIA driver is for CUDA {}, and our kernels need {built}", driver.version));
    }
    let (major, minor) = driver.capability(number)?;
    if (major, minor) < capability {
        let (least, of) = capability;
        return Err(format!(
            "device {number} has compute capability {major}.{minor}, and our kernels need {least}.{of}"
        ));
    }
    Ok(())
}

/// Whether a CUDA device still computes. After some errors, such as one of its memory, it never will again in this
/// process.
///
/// # Errors
/// It does not; why.
pub fn copies(number: usize) -> Result<(), String> {
    let context = Context::open(number)?;
    context.wait()?;
    match context.upload(&[1.0f32])?.read(1)?[..] {
        [1.0] => Ok(()),
        _ => Err("it does not keep what is written".into()),
    }
}
