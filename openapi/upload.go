package openapi

import (
	"encoding/base64"
	"mime"
	"net/http"
	"strings"
)

// upload is a file argument, decoded (A10).
type upload struct {
	data        []byte
	filename    string
	contentType string
}

func (f *upload) typeOrSniffed() string {
	if f.contentType != "" {
		return f.contentType
	}
	return http.DetectContentType(f.data)
}

// readFile decodes a file argument: {data, filename, content_type} or a bare string; base64 or a data: URI.
func readFile(v any, limit int64) (*upload, error) {
	f := &upload{}
	text, _ := v.(string)
	if m, ok := v.(map[string]any); ok {
		text, _ = m["data"].(string)
		f.filename, _ = m["filename"].(string)
		f.contentType, _ = m["content_type"].(string)
	}
	if strings.HasPrefix(text, "data:") {
		head, data, ok := strings.Cut(text[5:], ",")
		if !ok {
			return nil, fault("data is not a data: URI")
		}
		mediaType, isBase64 := strings.CutSuffix(head, ";base64")
		if f.contentType == "" {
			f.contentType = mediaType
		}
		if !isBase64 {
			text, f.data = "", []byte(decodeOnce(data))
		} else {
			text = data
		}
	}
	if int64(len(text))/4*3 > limit+3 {
		return nil, fault("is larger than " + sizeText(limit))
	}
	if f.data == nil {
		data, err := decodeBase64(text)
		if err != nil {
			return nil, err
		}
		f.data = data
	}
	if int64(len(f.data)) > limit {
		return nil, fault("is larger than " + sizeText(limit))
	}
	if f.contentType != "" {
		if _, _, err := mime.ParseMediaType(f.contentType); err != nil || strings.ContainsAny(f.contentType, "\r\n") {
			return nil, fault("content_type is not a media type")
		}
	}
	return f, nil
}

// decodeBase64 takes the standard and the URL alphabet, with or without padding, white space ignored.
func decodeBase64(text string) ([]byte, error) {
	clean := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, text)
	data, err := base64.RawStdEncoding.DecodeString(clean)
	if err != nil {
		return nil, fault("data is not base64")
	}
	return data, nil
}

// extensions of the types that files most often have; the table of the system would differ between machines.
func extension(contentType string) string {
	known := [...][2]string{
		{"application/pdf", ".pdf"}, {"application/zip", ".zip"}, {"application/json", ".json"}, {"application/xml", ".xml"}, {"text/plain", ".txt"},
		{"text/csv", ".csv"}, {"text/html", ".html"}, {"image/png", ".png"}, {"image/jpeg", ".jpg"}, {"image/gif", ".gif"}, {"image/webp", ".webp"},
		{"image/svg+xml", ".svg"}, {"audio/mpeg", ".mp3"}, {"audio/wav", ".wav"}, {"video/mp4", ".mp4"}, {"application/gzip", ".gz"},
	}
	for _, k := range known {
		if k[0] == essence(contentType) {
			return k[1]
		}
	}
	return ".bin"
}
