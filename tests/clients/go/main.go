// SPDX-License-Identifier: MIT

// A program of another run-time system: several goroutines write files, sync them, rename them and read them back.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"sync"
)

// save puts text into the file at path so that a power failure leaves the old file or the new one.
func save(path, text string, durably bool) error {
	file, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = file.WriteString(text); err != nil {
		return err
	}
	if durably {
		if err = file.Sync(); err != nil {
			return err
		}
	}
	return os.Rename(path+".new", path)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	durably := len(os.Args) == 2 && os.Args[1] == "sync"
	var writers sync.WaitGroup
	for number := 0; number < 4; number++ {
		writers.Add(1)
		go func(number int) {
			defer writers.Done()
			for round := 0; round < 5; round++ {
				text := strings.Repeat(fmt.Sprintf("file %d, round %d\n", number, round), 500)
				fail(save(fmt.Sprintf("file%d", number), text, durably))
			}
		}(number)
	}
	writers.Wait()
	if durably {
		fail(syncFolder("."))
	}
	for number := 0; number < 4; number++ {
		data, err := os.ReadFile(fmt.Sprintf("file%d", number))
		fail(err)
		fmt.Printf("%x\n", sha256.Sum256(data))
	}
}
