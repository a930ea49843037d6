//! A second panic handler is a compile error: this member builds only while core and all that it
//! depends on stay free of std.
#![no_std]
#![no_main]
use cocli_core as _;

struct Nothing;

// SAFETY: never called; the program is checked, not linked.
unsafe impl core::alloc::GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
