/** The star of a bookmark. */
import { Star as Outlined } from "lucide-react";

export function Star({ filled }: { filled: boolean }) {
  return <Outlined size={14} aria-hidden fill={filled ? "currentColor" : "none"} />;
}
