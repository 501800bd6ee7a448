/** The preview of a file value: an image with its size, a video or a sound with its length. */
import { useState } from "react";
import { t } from "../words/words";
import type { Media } from "./services";

interface Props {
  media: Media;
  onOpen?: (() => void) | undefined;
}

export function MediaPreview({ media, onOpen }: Props) {
  const [about, setAbout] = useState("");
  const [broken, setBroken] = useState(false);
  if (broken)
    return <p className="media-gone">{t("{{name}} cannot be shown.", { name: media.name })}</p>;
  const length = (sound: HTMLMediaElement) => setAbout(clock(sound.duration));
  const size = (film: HTMLVideoElement) =>
    setAbout(`${film.videoWidth} × ${film.videoHeight}, ${clock(film.duration)}`);
  return (
    <figure className={`media-preview ${media.kind}`}>
      {media.kind === "image" && (
        <button
          type="button"
          className="nodrag"
          aria-label={t("View at full size")}
          onClick={onOpen}
        >
          <img
            src={media.url}
            alt=""
            draggable={false}
            loading="lazy"
            onError={() => setBroken(true)}
            onLoad={({ currentTarget: image }) =>
              setAbout(`${image.naturalWidth} × ${image.naturalHeight}`)
            }
          />
        </button>
      )}
      {media.kind === "video" && (
        // biome-ignore lint/a11y/useMediaCaption: a file of the user has no captions
        <video
          className="nodrag"
          src={media.url}
          controls
          loop
          preload="metadata"
          onError={() => setBroken(true)}
          ref={ifLoaded(size)}
          onLoadedMetadata={(event) => size(event.currentTarget)}
        />
      )}
      {media.kind === "audio" && (
        // biome-ignore lint/a11y/useMediaCaption: a file of the user has no captions
        <audio
          className="nodrag"
          src={media.url}
          controls
          preload="metadata"
          onError={() => setBroken(true)}
          ref={ifLoaded(length)}
          onLoadedMetadata={(event) => length(event.currentTarget)}
        />
      )}
      {about !== "" && <figcaption>{about}</figcaption>}
    </figure>
  );
}

/**
 * Tells of an element whose file was there before React had put it on the page: its event is lost
 * then.
 */
function ifLoaded<Element extends HTMLMediaElement>(tell: (element: Element) => void) {
  return (element: Element | null) => {
    if (element !== null && element.readyState >= element.HAVE_METADATA) tell(element);
  };
}

/** Seconds as "minutes:seconds". */
function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  const whole = Math.floor(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  return `${Math.floor(whole / 60)}:${rest}${seconds < 10 ? `.${Math.floor((seconds % 1) * 10)}` : ""}`;
}
