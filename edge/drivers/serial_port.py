"""A serial line (RS485 adapter, pty): opened and set by pyserial, read by the event loop without a thread."""

from __future__ import annotations

import asyncio
import os
import termios

import serial

from edge.drivers.bus_wire import away

CHUNK = 4096


class SerialWire:
    """Eight data bits, one stop bit; parity and speed as the plan says. The device is locked against a second opener."""

    def __init__(self, port: serial.Serial, device: str) -> None:
        self._port = port
        self._device = device
        self._fd = port.fileno()
        self._held = bytearray()
        self._lost: str | None = None
        self._arrived = asyncio.Event()
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._on_bytes)

    @classmethod
    async def open(cls, device: str, baud: int, parity: str) -> SerialWire:
        """Retry `bus_away` when the device is not there or in use."""
        try:
            port = _opened(device, baud, parity)
        except (OSError, ValueError, termios.error) as problem:  # SerialException is an OSError
            raise away(device, problem) from problem
        return cls(port, device)

    def _on_bytes(self) -> None:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        except OSError as problem:
            self._gone(str(problem))
            return
        if data:
            self._held += data
            self._arrived.set()
        else:
            self._gone("the device is gone")

    def _gone(self, why: str) -> None:
        self._lost = why
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._arrived.set()

    async def read(self) -> bytes:
        await self._arrived.wait()
        data = self.pending()
        if not data and self._lost is not None:
            raise away(self._device, self._lost)
        return data

    def pending(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        if self._lost is None:
            self._arrived.clear()
        return data

    def write(self, data: bytes) -> None:
        if self._lost is not None:
            raise away(self._device, self._lost)
        self._unsent += data
        self._send()

    def _send(self) -> None:
        try:
            sent = os.write(self._fd, self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError as problem:
            self._gone(str(problem))
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._fd, self._send)
        else:
            self._loop.remove_writer(self._fd)

    async def close(self) -> None:
        if self._lost is None:
            self._gone("closed")
        self._port.close()


def _opened(device: str, baud: int, parity: str) -> serial.Serial:
    if os.path.realpath(device).startswith("/dev/pts/"):
        parity = serial.PARITY_NONE  # a pty has no parity bit and refuses the setting
    port = serial.Serial(device, baudrate=baud, parity=parity, timeout=0, write_timeout=0, exclusive=True)
    port.reset_input_buffer()
    return port
