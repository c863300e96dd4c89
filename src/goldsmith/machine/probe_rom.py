"""The guest that proves KVM: a firmware of our own that does in a millisecond what a kernel does when it starts.

It goes from the reset vector to protected mode, to paging and long mode, to a kernel's addresses at the top, computes
with SSE2, and only then says ``WORD`` on the serial port and leaves with ``EXIT_CODE``. A hypervisor that merely
emulates a few instructions gets as far as long mode and hangs in the SSE2 part, as a Linux kernel does in its
decompressor (seen with kvm_pvm: "KVM internal error. Suberror: 1", and QEMU stays for ever). Checked against
``objdump -D -b binary -m i386``.
"""

import struct

WORD = b"KVM runs\n"
LEAVING = 0x31
EXIT_PORT = 0xF4
EXIT_CODE = LEAVING << 1 | 1
"""What QEMU's isa-debug-exit makes of ``LEAVING``."""
SIZE = 0x1_0000
BASE = 0xF_0000
"""Where a firmware of 64 KiB is visible below 1 MiB."""

_REAL_MODE = (
    "fa",                         # cli
    "2e 66 0f 01 16 e0 01",       # lgdt cs:[POINTER_AT]
    "0f 20 c0",                   # mov eax, cr0
    "0c 01",                      # or al, 1 (protection)
    "0f 22 c0",                   # mov cr0, eax
    "66 ea 20 00 0f 00 08 00",    # jmp 08:BASE + PROTECTED_AT
)  # fmt: skip

_PROTECTED_MODE = (
    "66 b8 10 00",                # mov ax, 10
    "8e d8 8e c0 8e d0",          # mov ds, es, ss
    "bf 00 10 00 00",             # mov edi, 1000
    "31 c0",                      # xor eax, eax
    "b9 00 0c 00 00",             # mov ecx, 3 pages of doublewords
    "f3 ab",                      # rep stosd
    "c7 05 00 10 00 00 03 20 00 00",  # [1000] = 2003: the lowest addresses
    "c7 05 f8 1f 00 00 03 20 00 00",  # [1ff8] = 2003: the highest addresses
    "c7 05 00 20 00 00 03 30 00 00",  # [2000] = 3003
    "c7 05 f0 2f 00 00 03 30 00 00",  # [2ff0] = 3003: ffffffff80000000, where kernels live
    "c7 05 00 30 00 00 83 00 00 00",  # [3000] = 83: one page of 2 MiB
    "b8 00 10 00 00 0f 22 d8",    # mov cr3, 1000
    "b8 20 06 00 00 0f 22 e0",    # mov cr4, 620 (PAE, SSE)
    "b9 80 00 00 c0 0f 32",       # rdmsr EFER
    "0d 00 01 00 00 0f 30",       # long mode enable
    "0f 20 c0",                   # mov eax, cr0
    "83 e0 fb",                   # and eax, no x87 emulation
    "0d 02 00 00 80",             # or eax, paging and monitoring
    "0f 22 c0",                   # mov cr0, eax
    "ea 20 01 0f 00 18 00",       # jmp 18:BASE + LONG_AT
)  # fmt: skip

_LONG_MODE = (
    "48 c7 c0 29 01 0f 80",       # mov rax, ffffffff80000000 + BASE + the next line but one
    "ff e0",                      # jmp rax
    "66 0f 76 c0",                # pcmpeqd xmm0, xmm0: minus one, four times
    "66 0f ef c9",                # pxor xmm1, xmm1
    "66 0f fa c8",                # psubd xmm1, xmm0: plus one
    "66 0f 7e c9",                # movd ecx, xmm1
    "83 f9 01",                   # cmp ecx, 1
    "75 19",                      # jne stop
    "48 8d 35 5b 00 00 00",       # lea rsi, WORD_AT
    "b9 09 00 00 00",             # mov ecx, its length
    "66 ba f8 03",                # mov dx, the serial port
    "f3 6e",                      # rep outsb
    "b0 31",                      # mov al, LEAVING
    "66 ba f4 00",                # mov dx, EXIT_PORT
    "ee",                         # out dx, al
    "f4",                         # stop: hlt
    "eb fd",                      # jmp stop
)  # fmt: skip

_GDT = (0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF)
"""Nothing; 32-bit code; data; 64-bit code."""

START_AT = 0x0
PROTECTED_AT = 0x20
LONG_AT = 0x120
WORD_AT = 0x1A0
GDT_AT = 0x1C0
POINTER_AT = 0x1E0
RESET_AT = 0xFFF0


def rom() -> bytes:
    """The firmware, for QEMU's ``-bios``."""
    gdt = struct.pack("<4Q", *_GDT)
    parts = {
        START_AT: _code(_REAL_MODE),
        PROTECTED_AT: _code(_PROTECTED_MODE),
        LONG_AT: _code(_LONG_MODE),
        WORD_AT: WORD,
        GDT_AT: gdt,
        POINTER_AT: struct.pack("<HI", len(gdt) - 1, BASE + GDT_AT),
        RESET_AT: _code(("e9 0d 00",)),  # jmp START_AT
    }
    image = bytearray(b"\xf4" * SIZE)
    for at, part in parts.items():
        image[at : at + len(part)] = part
    return bytes(image)


def _code(lines: tuple[str, ...]) -> bytes:
    return bytes.fromhex("".join(lines))
