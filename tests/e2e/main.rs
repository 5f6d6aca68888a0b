//! The whole program from outside: the real binary, real HTTP on loopback, real files.


