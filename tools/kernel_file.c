/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_file.h"

#include <endian.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include "initramfs.h"

#define PIECE 65536u

/* An Image that unpacks itself under UEFI (Linux, drivers/firmware/efi/libstub/zboot-header.S). */
struct zboot_header {
    char magic[8];
    uint32_t offset; /* of what is compressed, in the file */
    uint32_t size;
};

static const char *too_long(void)
{
    return memory_format("unpacked more than %s: no kernel is so large",
                         value_format(VALUE_SIZE, KERNEL_UNPACKED_MAX));
}

static bool is_zstd(const unsigned char *bytes, size_t size)
{
    const char *compression = compression_of(bytes, size);

    return compression != NULL && strcmp(compression, "zstd") == 0;
}

static const char *unpack_gzip(const unsigned char *bytes, size_t size, struct buffer *image)
{
    unsigned char piece[PIECE];
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (uInt)size};
    int status = inflateInit2(&stream, 16 + MAX_WBITS); /* 16: with gzip's header */

    while (status == Z_OK && image->length <= KERNEL_UNPACKED_MAX) {
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        status = inflate(&stream, Z_NO_FLUSH);
        buffer_add(image, piece, sizeof(piece) - stream.avail_out);
    }
    inflateEnd(&stream);
    if (image->length > KERNEL_UNPACKED_MAX) {
        return too_long();
    }
    return status == Z_STREAM_END ? NULL : "compressed with gzip, and damaged or cut short";
}

static const char *unpack_lzma(const unsigned char *bytes, size_t size, const char *name,
                               struct buffer *image)
{
    unsigned char piece[PIECE];
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_ret status = lzma_auto_decoder(&stream, KERNEL_UNPACKED_MAX, 0);

    stream.next_in = bytes;
    stream.avail_in = size;
    while (status == LZMA_OK && image->length <= KERNEL_UNPACKED_MAX) {
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        status = lzma_code(&stream, LZMA_FINISH);
        buffer_add(image, piece, sizeof(piece) - stream.avail_out);
    }
    lzma_end(&stream);
    if (image->length > KERNEL_UNPACKED_MAX) {
        return too_long();
    }
    return status == LZMA_STREAM_END
               ? NULL
               : memory_format("compressed with %s, and damaged or cut short", name);
}

/* What follows the last frame is ignored, as with the others. */
static const char *unpack_zstd(const unsigned char *bytes, size_t size, struct buffer *image)
{
    unsigned char piece[PIECE];
    ZSTD_inBuffer in = {bytes, size, 0};
    ZSTD_DStream *stream = ZSTD_createDStream();
    size_t left = 1; /* 0 at the end of a frame */

    if (stream == NULL) {
        memory_exhausted(PIECE);
    }
    while (image->length <= KERNEL_UNPACKED_MAX) {
        ZSTD_outBuffer out = {piece, sizeof(piece), 0};
        size_t before = in.pos;
        left = ZSTD_decompressStream(stream, &out, &in);
        if (ZSTD_isError(left) || (out.pos == 0 && in.pos == before)) {
            break;
        }
        buffer_add(image, piece, out.pos);
        if (left == 0 && !is_zstd(bytes + in.pos, size - in.pos)) {
            break;
        }
    }
    ZSTD_freeDStream(stream);
    if (image->length > KERNEL_UNPACKED_MAX) {
        return too_long();
    }
    return left == 0 ? NULL : "compressed with zstd, and damaged or cut short";
}

static const char *unpack(const unsigned char *bytes, size_t size, struct buffer *image)
{
    const char *compression = compression_of(bytes, size);

    if (compression == NULL) {
        return NULL;
    }
    if (strcmp(compression, "gzip") == 0) {
        return unpack_gzip(bytes, size, image);
    }
    if (strcmp(compression, "xz") == 0 || strcmp(compression, "lzma") == 0) {
        return unpack_lzma(bytes, size, compression, image);
    }
    if (is_zstd(bytes, size)) {
        return unpack_zstd(bytes, size, image);
    }
    return memory_format("compressed with %s: unpack it to an arm64 Image", compression);
}

const char *kernel_unpack(const unsigned char *bytes, size_t size, struct buffer *image)
{
    struct zboot_header header;

    if (size < sizeof(header) || memcmp(bytes, "MZ\0\0zimg", sizeof(header.magic)) != 0) {
        return unpack(bytes, size, image);
    }
    memcpy(&header, bytes, sizeof(header));
    uint64_t offset = le32toh(header.offset);
    uint64_t length = le32toh(header.size);
    if (offset > size || length > size - offset) {
        return "a compressed EFI image that is cut short";
    }
    if (compression_of(bytes + offset, length) == NULL) {
        return "a compressed EFI image, compressed in a way that is not known: unpack it to the "
               "arm64 Image inside";
    }
    return unpack(bytes + offset, length, image);
}
