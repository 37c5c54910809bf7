// Package file writes files that must be whole or absent, whatever stops the program in between.
package file

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace puts a file with the given content in the place of path. After a crash or a power loss the path has
// the old content or the new, never a part; when Replace returned nil it is the new one.
func Replace(path string, content []byte, mode os.FileMode) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(folder) // makes the new name durable as well
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
