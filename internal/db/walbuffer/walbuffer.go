// Package walbuffer is an SQLite VFS that gathers what a connection appends to its write-ahead log, and hands it to
// the operating system in one piece when the log is synced.
//
// SQLite writes a log frame by two calls, one of 24 bytes and one of a page, and a commit of a group of requests has
// some 200 frames. Everything else goes to the operating system's own VFS.
//
// It is only for connections with synchronous=FULL: they sync the log before they tell other connections of a commit.
// What is not synced was promised to nobody, so a crash loses nothing by it.
package walbuffer

import (
	"errors"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite "modernc.org/sqlite/lib"
)

// Name is what SQLite knows the VFS by, as in file:path?vfs=walbuffer.
const Name = "walbuffer"

// size is how much is gathered of a log, in bytes; more goes out in several pieces. SQLite's VFS for Unix writes at
// most 131,071 bytes at a time.
const size = 1<<17 - 1

// Function types of SQLite's interface; what they get and answer is C's.
type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	readFunc     = func(tls *libc.TLS, file, to uintptr, n int32, offset int64) int32
	writeFunc    = func(tls *libc.TLS, file, from uintptr, n int32, offset int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, n int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	fileSizeFunc = func(tls *libc.TLS, file, n uintptr) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
)

// The VFS and a log's methods live as long as the program: SQLite keeps pointers to them.
var (
	system  sqlite.Tsqlite3_vfs        // the operating system's
	vfs     sqlite.Tsqlite3_vfs        // ours
	plain   sqlite.Tsqlite3_io_methods // the operating system's for a log
	methods sqlite.Tsqlite3_io_methods // ours
	once    sync.Once                  // plain and methods are known when the first log was opened
	logs    sync.Map                   // *buffer by the address of SQLite's file
)

// buffer is what was written to a log and is not yet in its file. One connection uses it.
type buffer struct {
	data   uintptr // C's memory, of the buffer's size; 0 before the first write
	used   int32
	offset int64 // in the file, of the first byte
}

// Register tells SQLite of the VFS, once and for all connections.
var Register = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	found := sqlite.Xsqlite3_vfs_find(tls, 0)
	name, err := libc.CString(Name)
	if found == 0 || err != nil {
		return errors.Join(errors.New("walbuffer: SQLite has no VFS"), err)
	}
	libc.Xmemcpy(tls, address(&system), found, libc.Tsize_t(unsafe.Sizeof(system)))
	vfs = system
	vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, pointer(open)
	if rc := sqlite.Xsqlite3_vfs_register(tls, address(&vfs), 0); rc != sqlite.SQLITE_OK {
		return errors.New("walbuffer: SQLite refused the VFS")
	}
	return nil
})

// address is where a variable of the package, which never moves, is in memory.
func address[T any](variable *T) uintptr { return uintptr(unsafe.Pointer(variable)) }

// pointer is a function of the package as SQLite keeps it.
func pointer(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// function is what SQLite keeps, as a function.
func function[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{pointer})) }

func open(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	rc := function[openFunc](system.FxOpen)(tls, vfs, name, file, flags, outFlags)
	if rc != sqlite.SQLITE_OK || flags&sqlite.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	// A file begins with the address of its methods, which are the same for all logs.
	once.Do(func() {
		libc.Xmemcpy(tls, address(&plain), libc.AtomicLoadPUintptr(file), libc.Tsize_t(unsafe.Sizeof(plain)))
		methods = plain
		methods.FxWrite, methods.FxSync = pointer(write), pointer(syncLog)
		methods.FxRead, methods.FxTruncate = pointer(read), pointer(truncate)
		methods.FxFileSize, methods.FxClose = pointer(fileSize), pointer(closeLog)
	})
	logs.Store(file, &buffer{})
	libc.AtomicStorePUintptr(file, address(&methods))
	return rc
}

func bufferOf(file uintptr) *buffer {
	b, _ := logs.Load(file)
	return b.(*buffer)
}

// write gathers what continues the bytes that are there.
func write(tls *libc.TLS, file, from uintptr, n int32, offset int64) int32 {
	b := bufferOf(file)
	if b.used > 0 && (offset != b.offset+int64(b.used) || n > size-b.used) {
		if rc := b.flush(tls, file); rc != sqlite.SQLITE_OK {
			return rc
		}
	}
	if b.data == 0 {
		b.data = libc.Xmalloc(tls, size)
	}
	if b.data == 0 || n > size {
		return function[writeFunc](plain.FxWrite)(tls, file, from, n, offset)
	}
	if b.used == 0 {
		b.offset = offset
	}
	libc.Xmemcpy(tls, b.data+uintptr(b.used), from, libc.Tsize_t(n))
	b.used += n
	return sqlite.SQLITE_OK
}

// flush writes what was gathered. When that fails, SQLite rolls back, and writes at the same place next time.
func (b *buffer) flush(tls *libc.TLS, file uintptr) int32 {
	if b.used == 0 {
		return sqlite.SQLITE_OK
	}
	n := b.used
	b.used = 0
	return function[writeFunc](plain.FxWrite)(tls, file, b.data, n, b.offset)
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	if rc := bufferOf(file).flush(tls, file); rc != sqlite.SQLITE_OK {
		return rc
	}
	return function[syncFunc](plain.FxSync)(tls, file, flags)
}

func read(tls *libc.TLS, file, to uintptr, n int32, offset int64) int32 {
	if rc := bufferOf(file).flush(tls, file); rc != sqlite.SQLITE_OK {
		return rc
	}
	return function[readFunc](plain.FxRead)(tls, file, to, n, offset)
}

func truncate(tls *libc.TLS, file uintptr, n int64) int32 {
	if rc := bufferOf(file).flush(tls, file); rc != sqlite.SQLITE_OK {
		return rc
	}
	return function[truncateFunc](plain.FxTruncate)(tls, file, n)
}

func fileSize(tls *libc.TLS, file, n uintptr) int32 {
	if rc := bufferOf(file).flush(tls, file); rc != sqlite.SQLITE_OK {
		return rc
	}
	return function[fileSizeFunc](plain.FxFileSize)(tls, file, n)
}

// closeLog drops what was not synced: nobody was told of it.
func closeLog(tls *libc.TLS, file uintptr) int32 {
	libc.Xfree(tls, bufferOf(file).data)
	logs.Delete(file)
	return function[closeFunc](plain.FxClose)(tls, file)
}
