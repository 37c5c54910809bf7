package document

import (
	"bytes"
	"encoding/binary"
)

// upright is the orientation of a picture that is stored as it is to be seen (EXIF, tag 0x0112). 2 to 8 are turned or
// mirrored.
const (
	upright         = 1
	lastOrientation = 8
	tagOrientation  = 0x0112
	typeShort       = 3
)

var exifBegin = []byte("Exif\x00\x00")

// orientation reads the orientation from the content of a JPEG's APP1 segment; 0 when there is none. It looks into
// the first directory only, where it has its place.
func orientation(content []byte) int {
	tiff, ok := bytes.CutPrefix(content, exifBegin)
	const header, entry = 8, 12
	if !ok || len(tiff) < header {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	directory := tiff[at:]
	entries := directory[2:]
	for range order.Uint16(directory) {
		if len(entries) < entry {
			return 0
		}
		if order.Uint16(entries) == tagOrientation && order.Uint16(entries[2:]) == typeShort {
			if o := int(order.Uint16(entries[8:])); o >= upright && o <= lastOrientation {
				return o
			}
			return 0
		}
		entries = entries[entry:]
	}
	return 0
}

// orientationOnly is the content of an APP1 segment that says nothing but the orientation.
func orientationOnly(o int) []byte {
	order := binary.BigEndian
	b := append(bytes.Clone(exifBegin), "MM\x00*"...)
	b = order.AppendUint32(b, 8) // where the directory begins
	b = order.AppendUint16(b, 1) // its entries
	b = order.AppendUint16(b, tagOrientation)
	b = order.AppendUint16(b, typeShort)
	b = order.AppendUint32(b, 1)         // one value
	b = order.AppendUint16(b, uint16(o)) // which stands in the entry, filled up
	b = order.AppendUint16(b, 0)
	return order.AppendUint32(b, 0) // no further directory
}
