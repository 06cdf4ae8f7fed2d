package orders

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"path/filepath"
)

// upload reads one file of a multipart form, counts and hashes it, and forgets the bytes.
func (a *api) upload(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxDocument+maxBody)
	if err := r.ParseMultipartForm(maxDocument); err != nil {
		return problem(http.StatusBadRequest, "send multipart/form-data with a part named file, at most 1 MiB")
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }()
	file, header, err := r.FormFile("file")
	if err != nil {
		return problem(http.StatusBadRequest, "the part named file is missing")
	}
	defer func() { _ = file.Close() }()
	if header.Size > maxDocument {
		return problem(http.StatusRequestEntityTooLarge, "a file may have at most 1 MiB")
	}
	hash := sha256.New()
	n, err := io.Copy(hash, file)
	if err != nil {
		return err
	}
	d := Document{
		Name: filepath.Base(header.Filename), MediaType: header.Header.Get("Content-Type"), Bytes: n,
		SHA256: hex.EncodeToString(hash.Sum(nil)), Note: r.FormValue("note"),
	}
	_, err = a.store.change(r.PathValue("id"), func(o *Order) error {
		if len(o.Documents) >= 20 {
			return problem(http.StatusConflict, "an order can have 20 documents")
		}
		o.Documents = append(o.Documents[:len(o.Documents):len(o.Documents)], d)
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, d)
}

// label draws the order's number as bars, one block a digit, as wide as the digit says.
func (a *api) label(w http.ResponseWriter, r *http.Request) error {
	o, err := a.store.get(r.PathValue("id"))
	if err != nil {
		return err
	}
	img := image.NewGray(image.Rect(0, 0, 24*len(o.ID)+16, 64))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	for i, digit := range o.ID {
		for x := range 4 + 2*int(digit-'0') {
			for y := 8; y < 56; y++ {
				img.SetGray(12+24*i+x, y, color.Gray{Y: 0x20})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b.Bytes())
	return nil
}
