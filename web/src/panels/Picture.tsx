/** A job's image in a list: a thumbnail, an icon of its kind, or the reason why there is none. */
import { AudioLines, Box, FileQuestion, Film, Images, Star } from "lucide-react";
import { useState } from "react";
import { type ListedJob, thumbnailUrl } from "../api/results";
import { type Medium, outputOf } from "../state/outcomes/outputs";
import { sentenceOf, writeDragged } from "../state/results/results";
import { t } from "../words/words";

const SYMBOLS = { image: Images, video: Film, audio: AudioLines, model: Box, file: FileQuestion };

/** What stands for a file that has no thumbnail. */
export function MediumIcon({ medium, size }: { medium: Medium; size: number }) {
  const Icon = SYMBOLS[medium];
  return <Icon size={size} aria-hidden />;
}

interface Props {
  job: ListedJob;
  size: number;
  /** False during fast scrolling: images that were not shown yet are not requested. */
  wanted?: boolean;
}

export function Picture({ job, size, wanted = true }: Props) {
  const made = outputOf(job);
  const [gone, setGone] = useState(false);
  const [begun, setBegun] = useState(wanted);
  if (wanted && !begun) setBegun(true);
  if (made === null) {
    return <span className="word">{job.preview_text ?? sentenceOf(job)}</span>;
  }
  const { file, medium } = made;
  if (medium !== "image") {
    return (
      <span className="word">
        <MediumIcon medium={medium} size={22} />
        {file.filename}
      </span>
    );
  }
  if (gone) return <span className="word">{t("The file no longer exists.")}</span>;
  if (!begun) return <span className="word" aria-hidden />;
  return (
    <>
      <img
        src={thumbnailUrl(file, size)}
        alt={job.excerpt ?? file.filename}
        loading="lazy"
        decoding="async"
        draggable
        onDragStart={(event) => writeDragged(event.dataTransfer, file)}
        onError={() => setGone(true)}
      />
      {(job.outputs_count ?? 1) > 1 && (
        <span className="badge" title={t("{{count}} files", { count: job.outputs_count ?? 1 })}>
          <Images size={11} aria-hidden />
          {job.outputs_count}
        </span>
      )}
      {job.starred && <Star className="starred" size={13} aria-label={t("Starred")} />}
    </>
  );
}
