package db

import (
	"fmt"
	"slices"
	"strings"
)

// listSize is how many values a list in a statement has. The number is fixed, so that each statement has one
// text and is prepared once.
const listSize = 50

// List spells the placeholders of a list of values, from $first on, for a statement that looks up many rows
// at once: "… AND id IN (" + db.List(2) + ")". It is run once for each of the Lists of the values.
func List(first int) string {
	marks := make([]string, listSize)
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(marks, ", ")
}

// ListUnion spells a statement that looks up each of a list of values by itself, where one has VALUE for it. It is run
// as those with List are.
func ListUnion(first int, one string) string {
	branches := make([]string, listSize)
	for i := range branches {
		branches[i] = strings.ReplaceAll(one, "VALUE", fmt.Sprintf("$%d", first+i))
	}
	return strings.Join(branches, " UNION ALL ")
}

// Lists divides values into lists for statements with List, each behind the arguments that come before it.
// The last list is filled up with its last value.
func Lists[T any](values []T, before ...any) [][]any {
	var lists [][]any
	for chunk := range slices.Chunk(values, listSize) {
		args := slices.Clone(before)
		for i := range listSize {
			args = append(args, chunk[min(i, len(chunk)-1)])
		}
		lists = append(lists, args)
	}
	return lists
}
