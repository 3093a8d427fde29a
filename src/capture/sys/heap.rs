//! Memory that is free and that the allocator keeps.

/// Gives free memory back to the operating system. The allocator of glibc keeps what one thread had for that thread, so that
/// threads that need much one after the other would take it as often as there are threads.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and may be called at any time by any thread [malloc_trim(3)].
    unsafe {
        libc::malloc_trim(0);
    }
}
