"""Reference motions of robots: functions of phase and command, importable without a simulator."""
