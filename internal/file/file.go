// Package file writes files that must be whole or absent, whatever stops the program in between.
package file

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// TempSuffix ends the names of files that are being written. One that is old was left by a program that was stopped.
const TempSuffix = ".tmp"

// Replace puts a file with the given content in the place of path. After a crash or a power loss the path has
// the old content or the new, never a part; when Replace returned nil it is the new one.
func Replace(path string, content []byte, mode os.FileMode) error {
	return Write(path, mode, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Write is Replace for content that fill writes piece by piece. When fill fails, the path keeps what it had.
func Write(path string, mode os.FileMode, fill func(w io.Writer) error) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".*"+TempSuffix)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(folder) // makes the new name durable as well
}

// Move gives a file another name in the same file system, in the place of what has that name. After a crash it has
// the old name or the new; when Move returned nil it is the new one. The error is fs.ErrNotExist when there is no
// such file, or no folder for it.
func Move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(syncFolder(filepath.Dir(to)), syncFolder(filepath.Dir(from)))
}

// MakeFolder makes a folder of mode 0700 below root, which exists, with all between, and makes their names
// durable.
func MakeFolder(root string, names ...string) (string, error) {
	path := root
	for _, name := range names {
		parent := path
		path = filepath.Join(parent, name)
		err := os.Mkdir(path, 0o700)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			err = syncFolder(parent)
		}
		if err != nil {
			return "", err
		}
	}
	return path, nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
